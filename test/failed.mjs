// A reporter for test/run.mjs: at the end, each test that failed, by its place and first error, once more: among
// thousands of lines it is not to be searched for.
export default async function* failed(events) {
  const places = new Map()
  for await (const { type, data } of events) {
    // a suite fails by its tests, a file by what stands in it
    if (type !== 'test:fail' || data.details.error?.failureType === 'subtestsFailed') continue
    const cause = data.details.error?.cause ?? data.details.error
    places.set(`${data.file}:${data.line} ${data.name}`, String(cause?.stack ?? cause))
  }
  for (const [place, error] of places) yield `\nfailed: ${place}\n${error}\n`
}
