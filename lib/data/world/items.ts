import { Failure } from '../../util/failure.ts'
import type { Random } from '../../util/random.ts'
import { drawStatement, isTold, tellStory, wordStatement } from './story.ts'
import type { Statement, StoryOptions } from './story.ts'

/** An item in HellaSwag's format. */
export interface WorldItem {
  readonly ind: number
  readonly activity_label: string
  readonly ctx: string
  readonly endings: readonly string[]
  readonly label: number
}

/**
 * Items of four endings: a true story up to some moment, and a statement on that moment with four answers out of that
 * story, one of them true. Throws `Failure` WORLD_TOO_SMALL where a story does not have four answers.
 */
export function makeItems(random: Random, count: number, options: StoryOptions): WorldItem[] {
  if (count > 0 && Math.min(options.people, options.places) < 4) {
    throw new Failure('WORLD_TOO_SMALL', 'Items of four endings need stories of at least four people and four places.')
  }
  const items: WorldItem[] = []
  while (items.length < count) {
    const { text, scene } = tellStory(random, options, 0)
    const statement = drawStatement(random, scene)
    if (statement && !(isTold(scene, statement) && random.uniform() < 2 / 3))
      items.push(makeItem(random, items.length, text, statement))
  }
  return items
}

function makeItem(random: Random, ind: number, ctx: string, statement: Statement): WorldItem {
  const wrong = random.shuffle(statement.candidates.filter((candidate) => candidate !== statement.answer))
  const answers = random.shuffle([statement.answer, ...wrong.slice(0, 3)])
  const endings = answers.map((answer) => wordStatement(statement, answer))
  return { ind, activity_label: statement.topic, ctx, endings, label: answers.indexOf(statement.answer) }
}
