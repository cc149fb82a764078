/** What a row of the table of commands says. */

/** A word after the command's name. */
export interface Word {
  /** In capitals, as help writes it. */
  readonly name: string;
  /** It may be left out. One that is `manifest` is PORTICO_MANIFEST or the current folder then. */
  readonly optional?: true;
  /** The path of a manifest, or of the folder with it. */
  readonly manifest?: true;
  /** All that it can be. */
  readonly one?: readonly string[];
  /** For who leaves it out. */
  readonly hint?: string;
}

/** An option. Without `value` it is a flag. */
export interface Option {
  readonly name: string;
  readonly short?: string;
  /** What its value is, in capitals. */
  readonly value?: string;
  /** All that the value can be. */
  readonly one?: readonly string[];
  /** It may be given several times. */
  readonly many?: true;
  /** The path of a manifest, or of the folder with it. */
  readonly manifest?: true;
  /** The option that it belongs to: without that one it says nothing. */
  readonly with?: string;
  readonly summary: string;
}

/** A command, or one of the verbs of a command. */
export interface CommandSpec {
  readonly name: string;
  /** One line. */
  readonly summary: string;
  readonly words: readonly Word[];
  readonly options: readonly Option[];
  /** The word that comes first then, and decides about the rest. */
  readonly verbs?: readonly CommandSpec[];
  /** Of a verb: the options of its command mean nothing to it. */
  readonly alone?: true;
  /** Options that exclude each other, with what they have in common. */
  readonly either?: readonly [string, string, string];
  /** An option that stands in the place of the words. */
  readonly instead?: string;
  /** Paragraphs for who asks about this command alone. */
  readonly more?: readonly string[];
}
