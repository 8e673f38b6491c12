/** Server-sent events, over `node:http` and as a `Response`, which end with their session. */
export { type EventStream, SESSION_EVENTS, type ServerEvent } from './event-stream.ts'
export { type EventStreams, eventStreams, type SseOptions } from './event-streams.ts'
