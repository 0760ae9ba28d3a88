import type { Random } from '../../util/random.ts'
import { names, objects, places } from './words.ts'

/** How a story is told. */
export interface StoryOptions {
  /** How many people, places and objects take part; with fewer places than people some start together. */
  readonly people: number
  readonly places: number
  readonly objects: number
  /** Sentences after the opening, between these two, evenly. */
  readonly sentences: readonly [least: number, most: number]
  /** Share of sentences that say how things stand, where there is something to tell; the rest are events. */
  readonly statements: number
}

export type Topic = 'place of a person' | 'place of an object' | 'holder of an object'

/** A sentence on how things stand, cut at its answer. */
export interface Statement {
  readonly topic: Topic
  readonly subject: string
  readonly answer: string
  /** All answers that this story allows, the true one among them. */
  readonly candidates: readonly string[]
}

/** Who is where and who has what, at one moment of a story. */
export interface Scene {
  readonly people: readonly string[]
  readonly places: readonly string[]
  readonly placeOf: Map<string, string>
  /** Of the objects found so far. */
  readonly holderOf: Map<string, string>
  readonly lyingAt: Map<string, string>
  readonly hidden: string[]
  /** What the latest statement on a topic and subject said. */
  readonly told: Map<string, string>
}

/**
 * A story, and the scene at its end. `noise` is the share of statements whose answer is drawn anew among the story's
 * candidates; what happens is never changed by it.
 */
export function tellStory(random: Random, options: StoryOptions, noise: number): { text: string; scene: Scene } {
  const scene = openScene(random, options)
  const sentences = scene.people.map((person) => introduce(scene, person))
  const [least, most] = options.sentences
  for (let left = least + random.below(most - least + 1); left > 0; left--) {
    const statement = random.uniform() < options.statements ? drawStatement(random, scene) : undefined
    sentences.push(statement ? say(scene, doubt(random, statement, noise)) : happen(random, scene))
  }
  return { text: sentences.join(' '), scene }
}

/** A true statement on a topic drawn by weight, or nothing where that topic has no subject yet. */
export function drawStatement(random: Random, scene: Scene): Statement | undefined {
  const draw = random.uniform()
  if (draw < 0.4) return statementOn(scene, 'place of a person', random.pick(scene.people))
  if (draw < 0.75) return statementOn(scene, 'place of an object', random.pick(foundIn(scene)))
  return statementOn(scene, 'holder of an object', random.pick([...scene.holderOf.keys()]))
}

/** Whether the latest statement about the same already says so. */
export function isTold(scene: Scene, { topic, subject, answer }: Statement): boolean {
  return scene.told.get(`${topic} ${subject}`) === answer
}

export function wordStatement({ topic, subject }: Statement, answer: string): string {
  return `${subject} was ${topic === 'holder of an object' ? 'with' : 'in'} ${answer} .`
}

function openScene(random: Random, options: StoryOptions): Scene {
  const people = random.shuffle(names).slice(0, options.people)
  const where = random.shuffle(places).slice(0, options.places)
  return {
    people,
    places: where,
    placeOf: new Map(people.map((person, i) => [person, where[i % where.length]!])),
    holderOf: new Map(),
    lyingAt: new Map(),
    hidden: random.shuffle(objects).slice(0, options.objects),
    told: new Map(),
  }
}

function statementOn(scene: Scene, topic: Topic, subject: string | undefined): Statement | undefined {
  if (subject === undefined) return undefined
  const holder = scene.holderOf.get(subject)
  const answer =
    topic === 'holder of an object' ? holder : (scene.lyingAt.get(subject) ?? scene.placeOf.get(holder ?? subject))
  const candidates = topic === 'holder of an object' ? scene.people : scene.places
  return { topic, subject, answer: answer!, candidates }
}

function introduce(scene: Scene, person: string): string {
  const statement = statementOn(scene, 'place of a person', person)!
  say(scene, statement)
  return `in ${statement.answer} lived ${person} .`
}

function say(scene: Scene, statement: Statement): string {
  scene.told.set(`${statement.topic} ${statement.subject}`, statement.answer)
  return wordStatement(statement, statement.answer)
}

function doubt(random: Random, statement: Statement, noise: number): Statement {
  return random.uniform() < noise ? { ...statement, answer: random.pick(statement.candidates) } : statement
}

const foundIn = (scene: Scene): string[] => [...scene.holderOf.keys(), ...scene.lyingAt.keys()]

/** Somebody does something: with an object that is at hand, or else goes somewhere. */
function happen(random: Random, scene: Scene): string {
  const person = random.pick(scene.people)
  const place = scene.placeOf.get(person)!
  const deeds = [...deedsOf(scene, person, place)]
  if (deeds.length === 0 || random.uniform() >= 0.6) return go(random, scene, person, place)
  return `in ${place} ${person} ${random.pick(deeds)()} .`
}

function go(random: Random, scene: Scene, person: string, from: string): string {
  const to = random.pick(scene.places.filter((place) => place !== from))
  scene.placeOf.set(person, to)
  return `to ${to} came ${person} .`
}

function* deedsOf(scene: Scene, person: string, place: string): Generator<() => string> {
  const hidden = scene.hidden.at(-1)
  if (hidden !== undefined) yield () => (scene.hidden.pop(), hold(scene, person, hidden), `found ${hidden}`)
  for (const [object, at] of scene.lyingAt)
    if (at === place) yield () => (hold(scene, person, object), `took ${object}`)
  for (const [object, holder] of scene.holderOf) {
    if (holder === person) yield () => (lay(scene, place, object), `left ${object}`)
    else if (scene.placeOf.get(holder) === place)
      yield () => (hold(scene, person, object), `got ${object} from ${holder}`)
  }
}

function hold(scene: Scene, person: string, object: string): void {
  scene.lyingAt.delete(object)
  scene.holderOf.set(object, person)
}

function lay(scene: Scene, place: string, object: string): void {
  scene.holderOf.delete(object)
  scene.lyingAt.set(object, place)
}
