/** The records as server-sent events: all of them, or as many as a person can look at, in words. */
import { clearInterval, clearTimeout, setInterval, setTimeout } from "node:timers";
import { describeRecord, type LogRecord, type Operator } from "../../runtime/mod.ts";

/** Bytes that may wait for a reader; what comes beyond is left out, and counted. */
const BACKLOG = 1024 * 1024;
/** Milliseconds of silence after which a comment shows that the connection lives. */
const SILENCE = 15_000;
/** Milliseconds that records are gathered for people, and how many of them at most, calm ones and others. */
const GATHERING = 200;
const CALM_MAX = 100;
const URGENT_MAX = 100;
/** Characters of a record beyond which people are given its words alone, and of those no more. */
const RECORD_MAX = 16 * 1024;
const WORDS_MAX = 4 * 1024;

const HEADERS = { "content-type": "text/event-stream" };

/** Takes text for the reader; false when more has to wait. */
type Send = (text: string) => boolean;
/** Begins to send. @returns ends it. */
type Source = (send: Send) => () => void;

/**
 * The last records, then those to come; of nobody, none. Each is the JSON of one; with `words` it is
 * `{"words": …, "record": …}`, and of ten thousand a second those that matter and some of the others.
 */
export function streamRecords(operator: Operator | undefined, words = false): Response {
  if (operator === undefined) return new Response(null, { headers: HEADERS });
  const source = words ? forPeople(operator) : all(operator);
  const encoder = new TextEncoder();
  let end: (() => void) | undefined;
  let timer: ReturnType<typeof setInterval> | undefined;
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      const send = (text: string): boolean => {
        if ((controller.desiredSize ?? 0) <= 0) return false;
        controller.enqueue(encoder.encode(text));
        return true;
      };
      end = source(send);
      timer = setInterval(() => void send(":\n\n"), SILENCE);
    },
    cancel() {
      end?.();
      clearInterval(timer);
    },
  }, new ByteLengthQueuingStrategy({ highWaterMark: BACKLOG }));
  return new Response(body, { headers: HEADERS });
}

const skippedEvent = (count: number): string =>
  count > 0 ? `event: skipped\ndata: ${count}\n\n` : "";

function all(operator: Operator): Source {
  return (send) => {
    let skipped = 0;
    return operator.records((record) => {
      const sent = send(`${skippedEvent(skipped)}data: ${JSON.stringify(record)}\n\n`);
      skipped = sent ? 0 : skipped + 1;
    });
  };
}

/** Nothing is made of what is left out. */
function forPeople(operator: Operator): Source {
  return (send) => {
    let kept: LogRecord[] = [];
    let [calm, urgent, skipped] = [0, 0, 0];
    let timer: ReturnType<typeof setTimeout> | undefined;
    const flush = (): void => {
      timer = undefined;
      const text = skippedEvent(skipped) + kept.map(eventOf).join("");
      skipped = send(text) ? 0 : skipped + kept.length;
      kept = [];
      calm = urgent = 0;
    };
    // Those before, however many, come at once.
    let before = true;
    const end = operator.records((record) => {
      const isUrgent = record.level === "warn" || record.level === "error";
      if (!before && (isUrgent ? urgent >= URGENT_MAX : calm >= CALM_MAX)) skipped++;
      else {
        kept.push(record);
        if (isUrgent) urgent++;
        else calm++;
      }
      if (!before) timer ??= setTimeout(flush, GATHERING);
    });
    before = false;
    flush();
    return () => {
      clearTimeout(timer);
      end();
    };
  };
}

function eventOf(record: LogRecord): string {
  const words = describeRecord(record);
  const json = JSON.stringify({ words, record });
  if (json.length <= RECORD_MAX) return `data: ${json}\n\n`;
  const { time, level, event, service, session } = record;
  const shown = { time, level, event, service, session };
  return `data: ${JSON.stringify({ words: `${words.slice(0, WORDS_MAX)} …`, record: shown })}\n\n`;
}
