"""The guide's page of lint rules, made from the registry."""

from __future__ import annotations

from collections.abc import Iterator

from dure.vocab.lint.registry import RULES, Rule

_INTRODUCTION = """# Rules of `dure vocab lint`

*Made from the registry of rules by `python -m dure.vocab.lint.document`; a test compares.*

```sh
dure vocab lint maps/*.csv
dure vocab lint maps/edi.xlsx --vocab STORE --format json
dure vocab lint maps/edi.csv --fix --dry-run
```

Lint reads whatever a run reads: OMOP's `source_to_concept_map`, Usagi's export, Excel workbooks and Dure's own CSV, in
UTF-8, UTF-16 or CP949, with commas, tabs, semicolons or bars. The exit code is 0 where nothing was found, 1 where
something was, 2 where a file cannot be read. `--severity warning` leaves out what is for information.

An **error** makes a run give concept 0 or refuse the file, or makes wrong data. A **warning** is likely a mistake, and a
person decides. **Info** is good to know. `fix` in the JSON says what `--fix` would do; it is null where only a person
can know what is right. `--fix` keeps encoding, line ends and quoting, and every byte of the rows it does not change.
"""


def page() -> str:
    """The page as Markdown."""
    return "\n".join([_INTRODUCTION, *_summary(), "", *(line for rule in RULES.values() for line in _section(rule))])


def _summary() -> Iterator[str]:
    yield "| rule | severity | repaired by `--fix` | needs `--vocab` |"
    yield "| --- | --- | --- | --- |"
    for rule in RULES.values():
        repaired, needs = "yes" if rule.fix else "", "yes" if rule.vocabulary else ""
        yield f"| [`{rule.name}`](#{rule.name}) | {rule.severity} | {repaired} | {needs} |"


def _section(rule: Rule) -> Iterator[str]:
    yield f"## {rule.name}"
    yield ""
    yield f"*{rule.severity.capitalize()}.* Finds {rule.finds}"
    yield ""
    yield rule.because
    if rule.fix:
        yield ""
        yield f"`--fix`: {rule.fix}"
    if rule.vocabulary:
        yield ""
        yield "Only with `--vocab`. The ids of the examples are those of the tests' small vocabulary."
    for title, text in (("Passes", rule.passing), ("Fails", rule.failing)):
        if text:
            yield from ("", f"{title}:", "", "```csv", _visible(text).rstrip("\n"), "```")
    yield ""


def _visible(text: str) -> str:
    """An example with its invisible characters spelled out, and without its endless cells."""
    shown = "".join(letter if letter.isprintable() or letter == "\n" else f"<U+{ord(letter):04X}>" for letter in text)
    return "\n".join(line if len(line) < 200 else f"{line[:90]} … {line[-40:]}" for line in shown.split("\n"))


if __name__ == "__main__":
    import dure.vocab.lint.run  # noqa: F401  (registers the rules)

    print(page(), end="")
