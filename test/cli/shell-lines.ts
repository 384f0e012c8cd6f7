/** The part of a shell that the blocks of a run-book need: functions, their arguments, variables, quotes, line ends. */

export interface ShellLine {
  readonly text: string;
  /** Words after quotes, variables and `$(…)`. Variables that are not known yet stay as they are. */
  readonly words: (variables: Readonly<Record<string, string>>) => string[];
}

type Functions = ReadonlyMap<string, readonly string[]>;

/** The `sh` blocks below a heading of the second level, as one script. */
export function shellOf(markdown: string, heading: string): string {
  const section = markdown.split(`\n## ${heading}\n`)[1]?.split('\n## ')[0] ?? '';
  return [...section.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map(([, block]) => block ?? '').join('');
}

/** The lines of a script in the order in which they run; calls of its own functions are replaced by their lines. */
export function shellLines(script: string): ShellLine[] {
  const functions = new Map<string, string[]>();
  const lines: string[] = [];
  let open: string[] | undefined;
  for (const line of script.replaceAll(/\\\n\s*/g, ' ').split('\n')) {
    const [, name] = /^([a-z]+)\(\) \{$/.exec(line) ?? [];
    if (name !== undefined) functions.set(name, (open = []));
    else if (line === '}') open = undefined;
    else if (line.trim() !== '') (open ?? lines).push(line.trim());
  }
  return lines.flatMap((line) => expanded(line, functions)).map((text) => lineOf(text, functions));
}

function expanded(line: string, functions: Functions): string[] {
  const [name = '', ...given] = line.split(' ');
  const body = functions.get(name);
  return body === undefined ? [line] : body.map((one) => withArguments(one, given));
}

function withArguments(text: string, given: readonly string[]): string {
  return text.replaceAll(/\$([1-9])/g, (whole, at: string) => given[Number(at) - 1] ?? whole);
}

function lineOf(text: string, functions: Functions): ShellLine {
  const substituted = text.replaceAll(/\$\(([a-z]+) ([^)]*)\)/g, (whole, name: string, given: string) => {
    const [echo] = functions.get(name) ?? [];
    return echo === undefined ? whole : withArguments(echo.replace(/^echo /, ''), given.split(' '));
  });
  return {
    text: substituted,
    words: (variables) =>
      [...substituted.matchAll(/(?:[^\s"]|"[^"]*")+/g)].map(([word]) =>
        word.replaceAll('"', '').replaceAll(/\$([A-Z]+)/g, (whole, name: string) => variables[name] ?? whole),
      ),
  };
}
