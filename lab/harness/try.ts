import { generateKeyring } from 'countersign'
import { endAll } from '../../bench/harness/ending.ts'
import { askTokens, askTrouble } from '../ask/groups.ts'
import { Places } from './places.ts'
import { QUESTIONS } from '../questions.ts'
import { ROWS } from '../rows.ts'
const [rows, questions, group] = process.argv.slice(2)
const run = { places: new Places(), keyring: generateKeyring({ signing: ['HS256', 'ES256'] }), secret: 'your-256-bit-secret' }
const wanted = { rows: ROWS.filter(({ id }) => new RegExp(rows!).test(id)), questions: new Set(QUESTIONS.map(({ id }) => id).filter((id) => new RegExp(questions ?? '').test(id))) }
const started = Date.now()
const show = (c: any) => console.log(((Date.now() - started) / 1000).toFixed(1), c.row, c.question, c.verdict, '|', c.text, '|', c.seen)
try {
  await askTokens(run, wanted, show, () => {})
  await askTrouble(run, wanted, show, () => {})
} catch (e) { console.error(e) } finally { await endAll() }
process.exit(0)
