import { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects, parquetSchema } from 'hyparquet'
import { Failure } from '../util/failure.ts'

/**
 * The rows of a Parquet file, by column name. Throws Failure COLUMN_MISSING where it lacks a needed column, and
 * PARQUET_INVALID.
 */
export async function readParquet(file: string, needed: readonly string[]): Promise<Record<string, unknown>[]> {
  const buffer = await asyncBufferFromFile(file)
  const metadata = await guard(file, () => parquetMetadataAsync(buffer))
  const columns = parquetSchema(metadata).children.map(({ element }) => element.name)
  const lacked = needed.filter((name) => !columns.includes(name))
  if (lacked.length > 0) {
    const message = `"${file}" has no column ${quoted(lacked)}; it has ${quoted(columns)}. Give a file with ${quoted(needed)}.`
    throw new Failure('COLUMN_MISSING', message)
  }
  return guard(file, () => parquetReadObjects({ file: buffer, metadata }))
}

async function guard<T>(file: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read()
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    const message = `"${file}" cannot be read as Parquet: ${why}. Get it anew, or write it again with Snappy compression or none.`
    throw new Failure('PARQUET_INVALID', message, { cause })
  }
}

const quoted = (names: readonly string[]): string => names.map((name) => `"${name}"`).join(', ')
