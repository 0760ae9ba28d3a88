/** What `pipeline export` and the tool behind it say to each other. */

export const exportFormats = ['safetensors', 'onnx', 'gguf'] as const
export type ExportFormat = (typeof exportFormats)[number]

/** Where a model comes from, for its card. What is not known is left out. */
export interface Provenance {
  /** Ids of repositories of the hub. */
  readonly baseModel?: string
  readonly datasets: readonly string[]
  /** An id of the hub's list of licenses: `mit`. */
  readonly license?: string
  /** Markdown: how the model was made, with its scores where there are any. */
  readonly made: string
}

export interface ExportedFile {
  /** In the folder, its parts apart by "/". */
  readonly path: string
  readonly bytes: number
}
