/** The world that `builtin:world` is: more stories than a world has by itself, each to be read few times. */
export const builtinWorld = { train: 1500 }
