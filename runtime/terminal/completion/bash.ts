import { CONTEXTS, quote, SPECS, type Value, VALUED, valueOf } from "./model.ts";

const names = (list: readonly { readonly name: string }[]): string =>
  list.map(({ name }) => name).join(" ");

/** A script for bash 3.2 and later, as that of macOS. */
export function bashScript(): string {
  const verbs = SPECS.filter((spec) => spec.verbs !== undefined).map(({ name, verbs }) =>
    `    ${name}) verbs=${quote(names(verbs!))} ;;\n`
  );
  const contexts = CONTEXTS.map(({ name, options, words }) => {
    const flags = options.map((option) => `--${option.name}`).join(" ");
    return `    ${quote(name)}) flags=${quote(flags)} words=(${words.map(wordOf).join(" ")}) ;;\n`;
  });
  const values = CONTEXTS.flatMap(({ name, options }) =>
    options.filter(({ value }) => value !== undefined).map((option) =>
      `    ${quote(`${name} --${option.name}`)}) word=${
        wordOf(valueOf(option.value!, option.one))
      } ;;\n`
    )
  );
  return `# Completes portico in bash: source <(portico completion bash)
_portico() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD - 1]}
  local context=${SPECS[0]!.name} verbs='' flags='' word='' given='' i
  local -a words=() named=() target=()
  # The = of --option=value is a word of its own here.
  if [[ $cur == = ]]; then cur=''; elif [[ $prev == = ]]; then prev=\${COMP_WORDS[COMP_CWORD - 2]}; fi
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=\${COMP_WORDS[i]}
    case $word in
    ${VALUED.join(" | ")})
      ((i++))
      if [[ \${COMP_WORDS[i]} == = ]]; then ((i++)); fi
      if ((i < COMP_CWORD)) && [[ $word == --manifest || $word == --socket ]]; then
        target=("$word" "\${COMP_WORDS[i]}")
      fi
      ;;
    -*) ;;
    *) named+=("$word") ;;
    esac
  done
  word=''
  if ((\${#named[@]} > 0)) && [[ " ${names(SPECS)} " == *" \${named[0]} "* ]]; then
    context=\${named[0]}
    given=1
    named=("\${named[@]:1}")
  fi
  case $context in
${verbs.join("")}  esac
  if [[ -n $verbs ]] && ((\${#named[@]} > 0)) && [[ " $verbs " == *" \${named[0]} "* ]]; then
    context="$context \${named[0]}"
    verbs=''
    named=("\${named[@]:1}")
  fi
  case $context in
${contexts.join("")}  esac
  case "$context $prev" in
${values.join("")}  *)
    if [[ $cur == -* ]]; then
      COMPREPLY=($(compgen -W "$flags" -- "$cur"))
      return
    fi
    word=\${words[\${#named[@]}]-}
    if [[ -z $given ]] && ((\${#named[@]} == 0)); then verbs=${quote(names(SPECS))}; fi
    ;;
  esac
  COMPREPLY=($(compgen -W "$verbs" -- "$cur"))
  case $word in
  path)
    compopt -o filenames 2>/dev/null
    while IFS= read -r i; do COMPREPLY+=("$i"); done < <(compgen -f -- "$cur")
    ;;
  service)
    COMPREPLY+=($(compgen -W "$("\${COMP_WORDS[0]}" ctl status --json \${target[@]+"\${target[@]}"} 2>/dev/null |
      grep -o '"service":"[^"]*"' | cut -d'"' -f4)" -- "$cur"))
    ;;
  command) COMPREPLY+=($(compgen -W ${quote(names(SPECS))} -- "$cur")) ;;
  one:*) COMPREPLY+=($(compgen -W "\${word#one:}" -- "$cur")) ;;
  esac
}
complete -F _portico portico
`;
}

function wordOf(value: Value): string {
  return value.kind === "one" ? quote(`one:${value.one.join(" ")}`) : value.kind;
}
