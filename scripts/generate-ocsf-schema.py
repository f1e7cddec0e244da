#!/usr/bin/env python3
"""Writes test/support/ocsf/ocsf-1.8.0.json: JSON Schemas of just the OCSF classes that the connector emits.

By hand, when a class or a profile is added (nothing of it is needed to run or test the connector):

    python3 -m venv /tmp/ocsf && /tmp/ocsf/bin/pip install ocsf-json-schema==1.2.0
    /tmp/ocsf/bin/python scripts/generate-ocsf-schema.py && npx biome format --write test/support/ocsf

The package (MIT) carries the whole schema and turns a class into a JSON Schema (draft 2020-12). What many classes share is
written once: one document, with the objects in `$defs` and each class beside them, named by its class_uid and the profiles
that its events declare in `metadata.profiles`: `class_3002`, `class_6001_host`.
"""

import json
from pathlib import Path

from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

VERSION = "1.8.0"
TARGET = Path(__file__).parent.parent / "test" / "support" / "ocsf" / f"ocsf-{VERSION}.json"

# Each class that an event may have, and the profiles that it is used with.
EMITTED = [(0, []), (3001, []), (3002, []), (3004, []), (3006, []), (5003, []), (6001, ["host"]), (6003, [])]

# Of no use to a validator, and a third of the size.
PROSE = ("title", "deprecated", "$schema", "$id")


def bare(schema):
    """The schema without prose. Names of attributes stand below `properties` and stay."""
    if isinstance(schema, list):
        return [bare(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        name: {attribute: bare(one) for attribute, one in value.items()} if name == "properties" else bare(value)
        for name, value in schema.items()
        if name not in PROSE
    }


def main():
    ocsf = OcsfJsonSchemaEmbedded(get_ocsf_schema(VERSION))
    definitions = {}

    def define(name, schema):
        if definitions.setdefault(name, schema) != schema:
            raise SystemExit(f"{name} differs between profiles: give it a name of its own")

    for class_uid, profiles in EMITTED:
        schema = bare(ocsf.get_class_schema(ocsf.lookup_class_name_from_uid(class_uid), profiles))
        for name, definition in schema.pop("$defs").items():
            define(name, definition)
        define("_".join(["class", str(class_uid), *profiles]), schema)

    document = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"https://schema.ocsf.io/{VERSION}/emitted",
        "$comment": "Written by scripts/generate-ocsf-schema.py from ocsf-json-schema 1.2.0 (MIT).",
        "$defs": {name: definitions[name] for name in sorted(definitions)},
    }
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    TARGET.write_text(text + "\n", encoding="utf-8")
    print(f"{TARGET}: {len(text)} characters, {len(definitions)} definitions")


if __name__ == "__main__":
    main()
