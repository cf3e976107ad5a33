"""The table of every setting, read from the sources: docs/settings.md is what this prints.

    python3 tests/manifests/settings.py >docs/settings.md

Options of the command line are the fields of services/quickserve/src/cli.rs that have a variable; sections are the structs
that refuse unknown keys and have defaults. A new section must be named in SECTIONS, or this fails.
"""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
CLI = ROOT / "services/quickserve/src/cli.rs"

# Each section of the configuration: its name, the file of its struct, the struct.
SECTIONS = [
    ("database", "services/kit/src/storage/db.rs", "DbSettings"),
    ("events", "services/kit/src/messaging/streams.rs", "StreamSettings"),
    ("telemetry", "services/kit/src/program/telemetry.rs", "TelemetryConfig"),
    ("mesh", "services/kit/src/mesh/files.rs", "Section"),
    ("grpc", "services/kit/src/rpc/listener.rs", "StopSettings"),
    ("edge", "edge/src/config.rs", "Config"),
    ("user", "services/user/src/lib.rs", "Config"),
    ("provider", "services/provider/src/lib.rs", "Config"),
    ("order", "services/order/src/lib.rs", "Config"),
    ("payment", "services/payment/src/config.rs", "Config"),
    ("notification", "services/notification/src/lib.rs", "Config"),
    ("cleaning", "services/cleaning/src/domain/table.rs", "Tables"),
    ("transport", "services/transport/src/domain/tables.rs", "RideTables"),
    ("moving", "services/moving/src/domain/tables.rs", "MoveTables"),
    ("repair", "services/repair/src/domain/tables.rs", "RepairTables"),
    ("child_assistance", "services/child_assistance/src/domain/tables.rs", "CareTables"),
]
# Sections within sections, and where their structs are.
NESTED = {
    "Timing": "services/order/src/domain/timing.rs",
    "Rules": "services/payment/src/domain/commission.rs",
    "CommissionRule": "services/payment/src/domain/commission.rs",
    "RoadSettings": "services/transport/src/domain/tables.rs",
    "LiveSettings": "services/transport/src/domain/tables.rs",
    "MeterSettings": "services/transport/src/domain/tables.rs",
}
# Rows of lists: who sets the list sets them.
ROWS = {"PolicyRule"}
SECTION_ATTRIBUTE = "#[serde(default, deny_unknown_fields)]"
WORDS = {"MINUTE": 60, "HOUR": 3600, "DAY": 86400}


def body_after(text, start):
    """What stands between the braces that open after `start`."""
    begin = text.index("{", start)
    depth = 0
    for at in range(begin, len(text)):
        depth += {"{": 1, "}": -1}.get(text[at], 0)
        if depth == 0:
            return text[begin + 1 : at]
    raise ValueError("braces do not close")


def fields_of(text, name):
    """The fields of a struct: name, type and documentation."""
    found = re.search(rf"^(?:pub )?struct {name}\b", text, re.M)
    if not found:
        raise SystemExit(f"there is no struct {name} any more: mend SECTIONS or NESTED in {__file__}")
    doc = []
    for line in body_after(text, found.start()).splitlines():
        line = line.strip()
        if line.startswith("///"):
            doc.append(line[3:].strip())
        elif field := re.match(r"(?:pub(?:\([a-z]+\))? )?(?:r#)?(\w+): (.+),$", line):
            yield field[1], field[2], " ".join(doc)
            doc = []
        elif not line.startswith("#["):
            doc = []


def defaults_of(path, name):
    """The expressions of `impl Default`, by field; it stands beside the struct, or elsewhere in its folder."""
    for file in [ROOT / path, *sorted((ROOT / path).parent.rglob("*.rs"))]:
        text = file.read_text()
        if found := re.search(rf"impl Default for {name} ", text):
            break
    else:
        return {}
    body = body_after(text, found.start())
    body = body_after(body, body.rindex("Self {"))
    parts, depth, part = [], 0, ""
    for letter in body + ",":
        depth += {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}.get(letter, 0)
        if letter == "," and depth == 0:
            parts.append(part.strip())
            part = ""
        else:
            part += letter
    return dict(it.split(":", 1) for it in parts if ":" in it)


def shown(expression, kind):
    """A default as one would write it into a file of settings; nothing where it is none."""
    if expression is None:
        is_empty = re.match(r"(Option|Vec|BTreeMap)<|String$|Secret$", kind)
        return "" if is_empty else {"bool": "false", "u32": "0", "i64": "0"}.get(kind, "built in")
    text = re.sub(r"(?<=\d)_(?=\d)", "", " ".join(expression.split()))
    if text in ("None", "String::new()", "Secret::default()"):
        return ""
    if text == "Vec::new()":
        return "[]"
    text = re.sub(r'\.to_owned\(\)|\.map\(str::to_owned\)|\.into\(\)|^vec!', "", text)
    for word, seconds in WORDS.items():
        text = re.sub(rf"\b{word}\b", str(seconds), text)
    if re.fullmatch(r"[\d.*+<\s\[\],]+", text):
        return str(eval(text, {"__builtins__": {}}))  # Arithmetic of numbers only, as the line above has made sure.
    if re.fullmatch(r'"[^"]*"|\["[^\]]*\]|true|false|[\d.]+', text):
        return text
    if variant := re.fullmatch(r"\w+::(\w+)", text):
        return variant[1].lower()
    return "built in"


def rows_of(section, path, name, seen):
    text = (ROOT / path).read_text()
    seen.add((path, name))
    defaults = defaults_of(path, name)
    for field, kind, doc in fields_of(text, name):
        inner = kind.strip()
        key = f"{section}.{field}"
        if inner in NESTED:
            yield from rows_of(key, NESTED[inner], inner, seen)
        elif not doc:
            raise SystemExit(f"{path}: {name}.{field} is a setting without a word of documentation")
        else:
            yield key, shown(defaults.get(field, None), inner), doc


def options():
    """Options that have a variable: the variable, the flag, the default, what it is."""
    found, doc, waiting = {}, [], None
    text = CLI.read_text()
    for line in text.splitlines():
        line = line.strip()
        if line.startswith("///"):
            doc.append(line[3:].strip())
        elif waiting is None and line.startswith("#[arg("):
            waiting = line
        elif waiting is not None and not waiting.endswith(")]"):
            waiting += " " + line
        elif waiting is not None and (field := re.match(r"(?:pub )?(\w+): ", line)):
            if variable := re.search(r'env = "(\w+)"', waiting):
                long = re.search(r'long = "([\w-]+)"', waiting)
                flag = "--" + (long[1] if long else field[1].replace("_", "-"))
                default = re.search(r'default_value = "([^"]*)"', waiting)
                row = found.setdefault(variable[1], (flag, [], []))
                if default and default[1] not in row[1]:
                    row[1].append(default[1])
                words = " ".join(doc)
                if words not in row[2]:
                    row[2].append(words)
            doc, waiting = [], None
        elif not line.startswith("#["):
            doc = []
    return found


def check_that_none_is_missing(seen):
    for folder in ("services", "edge"):
        for path in sorted((ROOT / folder).rglob("*.rs")):
            if "tests" in path.parts or path.name == "tests.rs":
                continue
            text = path.read_text()
            for at in re.finditer("^" + re.escape(SECTION_ATTRIBUTE), text, re.M):
                name = re.search(r"^(?:pub )?struct (\w+)", text[at.start() :], re.M)[1]
                where = path.relative_to(ROOT).as_posix()
                if name not in ROWS and (where, name) not in seen:
                    raise SystemExit(f"{where}: the settings {name} are in no section of {__file__}")


def sections():
    seen = set()
    rows = [row for section in SECTIONS for row in rows_of(*section, seen)]
    check_that_none_is_missing(seen)
    return rows


def variables():
    """Every variable that configures the program."""
    return set(options()) | {variable_of(key) for key, _, _ in sections()}


def variable_of(key):
    return "QS_" + key.upper().replace(".", "__")


def cell(text):
    return text.replace("|", "\\|")


def quoted(text):
    return f"`{cell(text)}`" if text and text != "built in" else text


def document():
    lines = [
        "# Every setting",
        "",
        "Made from the sources by `python3 tests/manifests/settings.py >docs/settings.md`; a test compares. How to set them is in",
        "[configure.md](configure.md).",
        "",
        "## Options of commands",
        "",
        "| variable | option | default | what it is |",
        "|---|---|---|---|",
    ]
    for variable, (flag, defaults, docs) in sorted(options().items()):
        shown_defaults = ", ".join(quoted(it) for it in defaults)
        lines.append(f"| `{variable}` | `{flag}` | {shown_defaults} | {cell(' '.join(docs))} |")
    lines += [
        "",
        "## Settings",
        "",
        "In a file, the part before the last dot is the section: `[order.timing]`. What has `built in` for a default is a table of",
        "prices or rules whose defaults are in the code of its service.",
    ]
    section = None
    for key, default, doc in sections():
        if key.split(".")[0] != section:
            section = key.split(".")[0]
            lines += ["", f"### {section}", "", "| setting | variable | default | what it is |", "|---|---|---|---|"]
        lines.append(f"| `{key}` | `{variable_of(key)}` | {quoted(default)} | {cell(doc)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(document())
