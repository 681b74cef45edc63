#!/usr/bin/python3
"""What gcovr counted, a line a file, those with most branches not taken first.

    table.py coverage.csv PERCENT    fails when fewer of all branches are taken
"""

import csv
import sys


def share(covered, total):
    return f"{100 * covered / total:5.1f} %" if total else "      -"


def line(name, counts):
    lines, lines_run, branches, taken = counts
    return (f"{name:28}{lines:7}{share(lines_run, lines):>9}"
            f"{branches:10}{share(taken, branches):>9}{branches - taken:8}")


def main():
    path, percent = sys.argv[1:]
    with open(path, encoding="utf-8") as file:
        files = {row["filename"]: [int(row[name]) for name in (
            "line_total", "line_covered", "branch_total", "branch_covered")]
            for row in csv.DictReader(file)}
    print(f"{'':28}{'lines':>7}{'run':>9}{'branches':>10}{'taken':>9}"
          f"{'not':>8}")
    for name, counts in sorted(files.items(),
                               key=lambda one: one[1][3] - one[1][2]):
        print(line(name, counts))
    total = [sum(column) for column in zip(*files.values())]
    print(line("all", total))
    _, _, branches, taken = total
    if not branches or 100 * taken < float(percent) * branches:
        return f"fewer than {percent} % of the branches are taken"
    return 0


if __name__ == "__main__":
    sys.exit(main())
