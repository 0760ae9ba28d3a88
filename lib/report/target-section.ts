import { grid } from './detail-section.ts'
import { grouped } from './format.ts'
import { html } from './html.ts'
import type { Html } from './html.ts'
import type { MeasuredTargets } from './targets.ts'

/** The form of the teacher's targets, its size, and how far a gradient from it lies from that of the whole distribution. */
export const targetSection = (targets: MeasuredTargets | undefined): Html | undefined => {
  if (targets === undefined) return undefined
  const { form, bytesPerToken, plainBytesPerToken, tokens, deviations } = targets
  const lines = deviations.map(({ use, temperature, angle, normRatio }) => [
    html`${use}`,
    html`${temperature}`,
    html`${angle.toFixed(angle < 1 ? 3 : 1)}°`,
    html`${normRatio.toFixed(3)}`,
  ])
  return html`<section aria-labelledby="targets">
    <h2 id="targets">The teacher’s targets</h2>
    <p>
      ${form}: ${grouped(bytesPerToken)} bytes a token, where all logits in half precision take
      ${grouped(plainBytesPerToken)}.
    </p>
    ${grid(['Use', 'Temperature', 'Angle', 'Norm ratio'], lines)}
    <p class="quiet">
      The gradient of a student’s head from these targets beside that from the whole distribution, over
      ${grouped(tokens)} tokens of the validation text. The student is a stand-in made of the teacher, half as sure as
      it is. Targets that are drawn deviate by chance, which averages out: with 64 times as many draws an eighth is
      left. Any other deviation is bias, which does not.
    </p>
  </section>`
}
