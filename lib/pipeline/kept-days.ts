/** Days for which a stage that failed or was stopped may be gone on with, or looked into. */
export const KEPT_DAYS = 7
export const DAY_MS = 86_400_000
