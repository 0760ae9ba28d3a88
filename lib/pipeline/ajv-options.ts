/** How the schema of pipeline.yaml is compiled: at run time from the sources, and once for the bundled command. */
export const ajvOptions = { allErrors: true, allowUnionTypes: true, strictTypes: false } as const
