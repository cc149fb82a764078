/**
 * A protocol whose commands are two lines, as a key and its value, and whose answer is both: what its forms
 * share.
 */

const decoder = new TextDecoder();

/** What a line says. */
export const text = (line: Uint8Array): string => decoder.decode(line);

/** What is answered to a command. */
export const answer = (key: string, value: string): string => `${key}\n${value}\n`;
