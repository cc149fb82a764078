/**
 * Memory that chunks of the pull form are lent in: it is used again for another one when the handler has
 * asked for the next, and what it has written of it has gone out.
 */

/** Who writes. */
export interface Sender {
  /** How many bytes were written, and how many of them the kernel has taken. */
  readonly bytesOut: number;
  readonly sent: number;
}

/** Smaller chunks are better copied; larger ones are rare. The powers of two between are the sizes of loans. */
const LEAST = 1024;
const MOST = 64 * 1024;
/** Loans of one size that are kept; more are left to the collector. */
const KEPT = 64;

/** Where its memory has it. */
const LOAN = Symbol("loan");

type Lendable = ArrayBufferLike & { [LOAN]?: Loan };

/** Memory that is lent, or was. */
export class Loan {
  readonly bytes: Uint8Array;
  chunk: Uint8Array;
  /** A handler has it. */
  out = true;
  /** Who has written of it, and how many bytes it had written by then. */
  sender: Sender | undefined = undefined;
  written = 0;
  /** More than one has: nobody looks whether all of them are done. */
  shared = false;

  constructor(size: number) {
    this.bytes = this.chunk = new Uint8Array(size);
    (this.bytes.buffer as Lendable)[LOAN] = this;
  }

  /** A handler has given its memory to another thread. */
  get transferred(): boolean {
    return this.bytes.length === 0;
  }

  /** Whether nobody sends it any more. */
  get free(): boolean {
    return this.sender === undefined || this.sender.sent >= this.written;
  }
}

/** By size, those that were given back. */
const returned: Loan[][] = [];

/** Lends a chunk on, which stays whoever's it is; undefined where it is better copied, and kept. */
export function lend(chunk: Uint8Array): Loan | undefined {
  const { length } = chunk;
  if (length <= LEAST || length > MOST) return undefined;
  const size = 32 - Math.clz32(length - 1);
  const loan = take(returned[size] ??= []) ?? new Loan(1 << size);
  loan.bytes.set(chunk);
  if (loan.chunk.length !== length) loan.chunk = loan.bytes.subarray(0, length);
  loan.sender = undefined;
  loan.out = true;
  return loan;
}

/** The last one is the likeliest to be in the processor's cache, the first one to have gone out. */
function take(loans: Loan[]): Loan | undefined {
  const loan = loans.at(-1)?.free === true
    ? loans.pop()
    : loans[0]?.free === true
    ? loans.shift()
    : undefined;
  return loan?.transferred === true ? undefined : loan;
}

/** The handler is done with it. */
export function giveBack(loan: Loan): undefined {
  loan.out = false;
  if (loan.shared || loan.transferred) return;
  const loans = returned[31 - Math.clz32(loan.bytes.length)]!;
  if (loans.length < KEPT) loans.push(loan);
}

/** Somebody has written bytes, which may be of a loan. */
export function write(bytes: Uint8Array, sender: Sender): void {
  const loan = (bytes.buffer as Lendable)[LOAN];
  if (loan?.out !== true) return;
  if (loan.sender !== sender && !loan.free) loan.shared = true;
  loan.sender = sender;
  loan.written = sender.bytesOut;
}
