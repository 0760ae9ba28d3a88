/** The page's style: two palettes by variables, one column, figures in tabular numerals, no file from elsewhere. */
export const STYLE = `
:root {
  color-scheme: light dark;
  --paper: #fcfbf8; --card: #f4f2ec; --ink: #22231f; --quiet: #66675f; --rule: #e4e1d8; --rule-strong: #bdb9ad;
  --teacher: #99661a; --baseline: #6d6e72; --control: #3b6791; --student: #1f7a5c; --other: #7a5485;
  --serif: 'Iowan Old Style', 'Palatino Linotype', Palatino, 'Source Serif 4', Georgia, 'DejaVu Serif', serif;
  --sans: system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', 'Noto Sans', 'DejaVu Sans', sans-serif;
  --mono: ui-monospace, 'SF Mono', Menlo, Consolas, 'DejaVu Sans Mono', monospace;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #171815; --card: #20211d; --ink: #e9e7e0; --quiet: #a3a297; --rule: #30312c; --rule-strong: #5a5b53;
    --teacher: #dca75a; --baseline: #adaeb2; --control: #86b2dc; --student: #6cc7a3; --other: #c49bd0;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
body {
  margin: 0; background: var(--paper); color: var(--ink);
  font: 1.0625rem/1.6 var(--sans); font-variant-numeric: tabular-nums lining-nums;
}
main, footer { max-width: 71rem; margin: 0 auto; padding: 0 clamp(1.25rem, 4vw, 3rem); }
header { padding: clamp(2.5rem, 7vw, 5.5rem) 0 0; }
h1 { margin: 0 0 1.25rem; font: 600 0.95rem/1.4 var(--sans); letter-spacing: 0.01em; color: var(--quiet); }
h2 { margin: 0 0 1.25rem; font: 400 1.7rem/1.25 var(--serif); }
h3 { margin: 0 0 0.75rem; font: 600 1rem/1.4 var(--sans); }
p { margin: 0 0 1em; max-width: 66ch; text-wrap: pretty; }
section { margin-top: clamp(3rem, 7vw, 5rem); }
.verdict { margin: 0 0 1.75rem; max-width: 30ch; font: 400 clamp(1.8rem, 4.6vw, 3rem)/1.18 var(--serif); text-wrap: balance; }
.evidence { margin: 0; padding: 0; list-style: none; max-width: 74ch; }
.evidence b { font-weight: 600; }
.evidence li { margin: 0 0 0.7em; padding-left: 1.1rem; border-left: 2px solid var(--rule-strong); }
.caution { max-width: 74ch; margin: 0 0 1.75rem; padding: 0.9rem 1.1rem; background: var(--card); border-left: 2px solid var(--teacher); }
.quiet, figcaption, .interval { color: var(--quiet); }
.small, figcaption { font-size: 0.9rem; line-height: 1.5; }
code { font: 0.9em/1.5 var(--mono); overflow-wrap: anywhere; }

table { width: 100%; border-collapse: collapse; }
th, td { padding: 0.7rem 0 0.7rem 1.5rem; text-align: right; vertical-align: top; border-bottom: 1px solid var(--rule); }
th:first-child, td:first-child { padding-left: 0; text-align: left; }
thead th { padding-top: 0; font-size: 0.85rem; font-weight: 500; color: var(--quiet); border-bottom-color: var(--rule-strong); }
tbody th { font-weight: 600; }
tbody + tbody::before { content: ''; display: block; height: 1.75rem; }
.pair { font-size: 0.95rem; }
.comparisons td { padding-top: 0.45rem; padding-bottom: 0.45rem; }
.interval, .model { display: block; font-size: 0.85rem; font-weight: 400; color: var(--quiet); white-space: nowrap; }
.model, .outcome .interval { white-space: normal; }
.dot { display: inline-block; width: 0.62em; height: 0.62em; margin-right: 0.55em; border-radius: 50%; background: var(--c); }

details { margin-top: 1.5rem; }
summary { cursor: pointer; color: var(--quiet); }
details[open] summary { margin-bottom: 1rem; }

figure { margin: 0; min-width: 0; }
.figures figure { max-width: 27rem; }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 19rem), 1fr)); gap: 3rem; }
.figures figure { display: grid; grid-row: span 4; grid-template-rows: subgrid; gap: 0; align-content: start; }
.figures + table { margin-top: 3rem; }
h3.after { margin-top: 3rem; }
.prompts { margin-top: 1.5rem; gap: 2rem 3rem; }
.prompts figure { grid-row: span 2; }
.prompts h4 { margin: 0; font: 400 0.95rem/1.45 var(--sans); color: var(--quiet); }
.single { max-width: 44rem; margin-top: 3rem; }
.chart { margin: 0.5rem 0; }
.chart svg { display: block; width: 100%; height: auto; font-family: var(--sans); font-variant-numeric: tabular-nums; }
.narrow { display: none; }
.legend { display: flex; flex-wrap: wrap; gap: 0.15rem 1.4rem; margin: 0; padding: 0; list-style: none; font-size: 0.9rem; }
.legend svg { width: 1.7rem; height: 0.6rem; margin-right: 0.5rem; }

.prompt { padding: 1.75rem 0 2rem; border-top: 1px solid var(--rule); }
.prompt h3 { max-width: 60ch; font: 400 1.15rem/1.5 var(--serif); white-space: pre-wrap; overflow-wrap: anywhere; }
.answers { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 14.5rem), 1fr)); gap: 1.25rem 2rem; }
.answers h4 { margin: 0 0 0.35rem; font: 600 0.85rem/1.4 var(--sans); color: var(--c); }
.answers p { margin: 0; font-size: 0.98rem; line-height: 1.55; white-space: pre-wrap; overflow-wrap: anywhere; }

.groups { columns: 20rem 3; column-gap: 3.5rem; }
.group { break-inside: avoid; margin: 0 0 1.75rem; }
dl { margin: 0; }
dl div { display: flex; justify-content: space-between; gap: 1.5rem; padding: 0.3rem 0; border-bottom: 1px solid var(--rule); }
dt { color: var(--quiet); }
dd { margin: 0; text-align: right; overflow-wrap: anywhere; min-width: 0; }
.notes { columns: 26rem 2; column-gap: 3.5rem; }
.notes p { break-inside: avoid; }
.command { margin: 0 0 1.5rem; padding: 0.85rem 1.1rem; background: var(--card); border-radius: 6px; overflow-x: auto; white-space: pre-wrap; }
footer { padding-bottom: 4rem; }

@media (max-width: 40rem) {
  body { font-size: 1rem; }
  .wide { display: none; }
  .narrow { display: block; }
  table, tbody, tr, th, td { display: block; }
  thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  tr { padding: 1rem 0; border-bottom: 1px solid var(--rule); }
  tbody tr:first-child { border-top: 1px solid var(--rule-strong); }
  th, td, th:first-child, td:first-child { padding: 0; border: 0; text-align: left; }
  tbody th { margin-bottom: 0.4rem; }
  td, td:first-child { display: flex; justify-content: space-between; gap: 1rem; text-align: right; padding: 0.12rem 0; }
  td::before { content: attr(data-label); color: var(--quiet); text-align: left; }
  .comparisons td { padding-top: 0.12rem; padding-bottom: 0.12rem; }
}
@media print {
  :root {
    color-scheme: light;
    --paper: #fff; --card: #f4f4f2; --ink: #000; --quiet: #444; --rule: #ccc; --rule-strong: #888;
    --teacher: #805000; --baseline: #555; --control: #24507a; --student: #0f6044; --other: #62406c;
  }
  body { font-size: 10pt; }
  main, footer { max-width: none; padding: 0; }
  header { padding-top: 0; }
  section { margin-top: 2.2rem; }
  h2, h3 { break-after: avoid; }
  figure, tr, .prompt { break-inside: avoid; }
  .verdict { font-size: 22pt; }
}
`
