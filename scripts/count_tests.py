#!/usr/bin/env python3
"""Adds up the results of ctest, GoogleTest and lit and prints "N passed, N failed" as the last line.

    count_tests.py RESULTS --ctest STATUS --lit STATUS

RESULTS holds ctest.xml, gtest/<program>.xml and, where lit ran, lit.xml. The exit status is 0 only if something
passed and nothing failed; a program that died before writing its results counts as one failure.
"""
# SPDX-License-Identifier: MIT
import argparse
import pathlib
import sys
import xml.etree.ElementTree as ElementTree


def cases(path):
    """(name, outcome) of every test case in a JUnit-like file; none if there is no readable file."""
    try:
        root = ElementTree.parse(path).getroot()
    except (OSError, ElementTree.ParseError):
        return []
    found = []
    for case in root.iter("testcase"):
        name = ".".join(filter(None, (case.get("classname"), case.get("name"))))
        if case.find("failure") is not None or case.find("error") is not None or case.get("status") == "fail":
            found.append((name, "failed"))
        elif case.find("skipped") is not None or case.get("status") in ("notrun", "disabled"):
            found.append((name, "skipped"))
        else:
            found.append((name, "passed"))
    return found


def unit(results):
    """A program's own cases in the place of ctest's single one; a failure that they do not show is added."""
    outcomes = dict(cases(results / "ctest.xml"))
    for case in ElementTree.parse(results / "ctest.xml").getroot().iter("testcase"):
        name = case.get("name")
        inside = cases(results / "gtest" / f"{name}.xml")
        outcome = outcomes[f"{case.get('classname')}.{name}"]
        # A program that was not built is no skipped test; only a test itself can say that it skips.
        skipped = case.find("skipped")
        if skipped is not None and case.get("status") == "notrun" and "SKIP_" not in skipped.get("message", ""):
            outcome = "failed"
        yield from ((f"{name}: {inner}", result) for inner, result in inside)
        if not inside or (outcome == "failed" and all(result != "failed" for _, result in inside)):
            yield name, outcome


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("results", type=pathlib.Path)
    parser.add_argument("--ctest", type=int, required=True, help="exit status of ctest")
    parser.add_argument("--lit", type=int, required=True, help="exit status of lit")
    args = parser.parse_args()

    found = list(unit(args.results)) if (args.results / "ctest.xml").exists() else []
    ctest_failed = any(outcome == "failed" for _, outcome in found)
    if args.ctest and not ctest_failed:
        found.append((f"ctest (exit status {args.ctest})", "failed"))
    lit = cases(args.results / "lit.xml")
    if args.lit and all(outcome != "failed" for _, outcome in lit):
        lit.append((f"lit (exit status {args.lit})", "failed"))
    found += lit

    count = {outcome: sum(o == outcome for _, o in found) for outcome in ("passed", "failed", "skipped")}
    for name, outcome in found:
        if outcome == "failed":
            print(f"FAILED {name}")
    if count["skipped"]:
        print(f"{count['skipped']} skipped (long tests run with SEGC_LONG=1)")
    print(f"{count['passed']} passed, {count['failed']} failed")
    return 0 if count["passed"] and not count["failed"] else 1


if __name__ == "__main__":
    sys.exit(main())
