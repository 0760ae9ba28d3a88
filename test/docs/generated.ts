/** So that nobody edits a page that `npm run docs` writes. */
export const GENERATED = '<!-- written by `npm run docs`: edit what it is made from -->\n'
