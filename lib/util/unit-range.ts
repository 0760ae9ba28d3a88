/** Units of some work, in the order in which it is done undivided: from `from` on, before `to`. */
export interface UnitRange {
  readonly from: number
  readonly to: number
}
