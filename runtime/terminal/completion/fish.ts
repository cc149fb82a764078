import type { Option } from "../commands.ts";
import { CONTEXTS, quote, SPECS, type Value, VALUED, valueOf } from "./model.ts";

/** A script for fish 3 and later. */
export function fishScript(): string {
  const names = SPECS.map(({ name }) => name).join(" ");
  const verbs = SPECS.filter((spec) => spec.verbs !== undefined).map((spec) =>
    `        case ${spec.name}\n            set verbs ${
      spec.verbs!.map(({ name }) => name).join(" ")
    }\n`
  );
  const rules = CONTEXTS.flatMap(({ name, options, words, verbs }) => [
    ...verbs.map((verb) => rule(name, 0, `-a ${verb.name} -d ${quote(verb.summary)}`)),
    ...words.map((value, position) => rule(name, position, argumentsOf(value))),
    ...options.map((option) => {
      const short = option.short === undefined ? "" : ` -s ${option.short}`;
      const value = option.value === undefined ? "" : ` ${valued(option)}`;
      return rule(name, undefined, `-l ${option.name}${short}${value} -d ${quote(option.summary)}`);
    }),
  ]);
  const commands = SPECS.map(({ name, summary }) =>
    `complete -c portico -n __portico_unnamed -a ${name} -d ${quote(summary)}\n`
  );
  return `# Completes portico in fish: portico completion fish > ~/.config/fish/completions/portico.fish
function __portico_named
    set -l skip 0
    set -l tokens (commandline -opc)
    for token in $tokens[2..-1]
        if test $skip = 1
            set skip 0
            continue
        end
        switch $token
            case ${VALUED.join(" ")}
                set skip 1
            case '-*'
            case '*'
                echo $token
        end
    end
end
function __portico_unnamed
    test (count (__portico_named)) = 0
end
# Whether what stands so far is this command, with so many words after it.
function __portico_at -a wanted position
    set -l named (__portico_named)
    set -l context ${SPECS[0]!.name}
    set -l verbs
    if contains -- "$named[1]" ${names}
        set context $named[1]
        set -e named[1]
    end
    switch $context
${verbs.join("")}    end
    if contains -- "$named[1]" $verbs
        set context "$context $named[1]"
        set -e named[1]
    end
    test "$context" = "$wanted"; and begin
        test -z "$position"; or test (count $named) = "$position"
    end
end
function __portico_services
    set -l tokens (commandline -opc)
    set -l target
    for option in --manifest --socket
        set -l at (contains -i -- $option $tokens)
        and set target $option $tokens[(math $at + 1)]
    end
    $tokens[1] ctl status --json $target 2>/dev/null | string match -ar '"service":"[^"]*"' | string split -f4 '"'
end
complete -c portico -f
${commands.join("")}${rules.join("")}`;
}

function rule(context: string, position: number | undefined, what: string): string {
  const words = position === undefined ? "" : ` ${position}`;
  return what === "" ? "" : `complete -c portico -n "__portico_at '${context}'${words}" ${what}\n`;
}

/** Only a path may be a file. */
function valued({ value, one }: Option): string {
  const what = valueOf(value!, one);
  return what.kind === "path" ? "-r -F" : `-x ${argumentsOf(what)}`.trimEnd();
}

function argumentsOf(value: Value): string {
  switch (value.kind) {
    case "path":
      return "-F";
    case "service":
      return `-a '(__portico_services)'`;
    case "command":
      return `-a ${quote(SPECS.map(({ name }) => name).join(" "))}`;
    case "one":
      return `-a ${quote(value.one.join(" "))}`;
    case "any":
      return "";
  }
}
