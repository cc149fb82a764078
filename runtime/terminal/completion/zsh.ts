import type { Option } from "../commands.ts";
import { type Context, CONTEXTS, SPECS, type Value, valueOf } from "./model.ts";

/** A script for zsh 5, to be sourced, or to be put into a folder of fpath as `_portico`. */
export function zshScript(): string {
  const [first] = CONTEXTS;
  const cases = SPECS.map(({ name, verbs }) => {
    const context = CONTEXTS.find((one) => one.name === name)!;
    if (verbs === undefined) return `    ${name})\n      ${argumentsOf(context)}\n      ;;\n`;
    const more = verbs.map((verb) => {
      const one = CONTEXTS.find((each) => each.name === `${name} ${verb.name}`)!;
      return `          ${verb.name})\n            ${argumentsOf(one)}\n            ;;\n`;
    });
    const list = verbs.map((verb) => described(verb.name, verb.summary)).join(" ");
    return `    ${name})
      local -a verbs=(${list})
      ${argumentsOf(context, `'1: :{_describe verb verbs}' '*:: :->verb'`)} && return
      if [[ $state == verb ]]; then
        # What stands before the verb.
        local -A before=("\${(@kv)opt_args}")
        case $words[1] in
${more.join("")}        esac
      fi
      ;;
`;
  });
  const commands = SPECS.map(({ name, summary }) => described(name, summary)).join(" ");
  return `#compdef portico
# Completes portico in zsh: source <(portico completion zsh), after compinit
_portico_services() {
  local -a target services
  local option value
  for option in --manifest --socket; do
    value=\${opt_args[$option]:-$before[$option]}
    [[ -n $value ]] && target=($option $value)
  done
  services=(\${(f)"$(_call_program services portico ctl status --json $target 2>/dev/null |
    grep -o '"service":"[^"]*"' | cut -d'"' -f4)"})
  compadd -a services
}
_portico_commands() {
  local -a commands=(${commands})
  _describe command commands
}
_portico() {
  local curcontext=$curcontext state line
  typeset -A opt_args
  ${argumentsOf(first!, `'1: :{_portico_commands; _files}' '*:: :->rest'`)} && return
  case $words[1] in
${cases.join("")}  esac
}
if [[ $funcstack[1] == _portico ]]; then _portico "$@"; else compdef _portico portico; fi
`;
}

function argumentsOf({ words, options }: Context, rest?: string): string {
  const places = rest ?? words.map((value, at) => `'${at + 1}:: :${actionOf(value)}'`).join(" ");
  const head = rest === undefined ? "_arguments" : "_arguments -C";
  return `${head} ${options.map(optionOf).join(" ")} ${places}`.trimEnd();
}

function optionOf({ name, short, value, one, summary }: Option): string {
  const text = `[${plain(summary)}]`;
  if (value !== undefined) return `'--${name}=${text}:${value}:${actionOf(valueOf(value, one))}'`;
  if (short === undefined) return `'--${name}${text}'`;
  return `'(-${short} --${name})'{-${short},--${name}}'${text}'`;
}

function actionOf(value: Value): string {
  switch (value.kind) {
    case "path":
      return "_files";
    case "service":
      return "_portico_services";
    case "command":
      return "_portico_commands";
    case "one":
      return `(${value.one.join(" ")})`;
    case "any":
      return " ";
  }
}

function described(name: string, summary: string): string {
  return `'${name}:${plain(summary)}'`;
}

/** Without what means something in a specification of _arguments. */
function plain(text: string): string {
  return text.replaceAll("'", "’").replaceAll(/[[\]\\]/g, "").replaceAll(":", "\\:");
}
