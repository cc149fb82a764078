/** What is used of `node:ffi`. Its own types are Node's alone: Deno checks this folder too. */

export type Type = "int32" | "uint32" | "uint64" | "pointer" | "void";

export interface Signature {
  readonly arguments: readonly Type[];
  readonly return: Type;
}

type Value<T extends Type> = T extends "int32" | "uint32" ? number
  : T extends "void" ? void
  : bigint;

type Arguments<T extends readonly Type[]> = { [I in keyof T]: Value<T[I]> };

export type ForeignFunction<S extends Signature> = (
  ...values: Arguments<S["arguments"]>
) => Value<S["return"]>;

/** A loaded library. */
export interface Library {
  getSymbol(name: string): bigint;
  getFunction<const S extends Signature>(name: string, signature: S): ForeignFunction<S>;
  registerCallback<const S extends Signature>(signature: S, callback: ForeignFunction<S>): bigint;
  unregisterCallback(pointer: bigint): void;
}

/** The module. */
export interface NodeFfi {
  dlopen<const Table extends Readonly<Record<string, Signature>>>(
    path: string | null,
    table: Table,
  ): {
    readonly lib: Library;
    readonly functions: { readonly [K in keyof Table]: ForeignFunction<Table[K]> };
  };
  /** @param copy false: the memory itself. */
  toArrayBuffer(pointer: bigint, length: number, copy: boolean): ArrayBuffer;
  getRawPointer(memory: ArrayBuffer | ArrayBufferView): bigint;
  getCurrentEventLoop(): bigint;
  getUint32(pointer: bigint, offset: number): number;
  setUint32(pointer: bigint, offset: number, value: number): void;
}
