"""What the compiler and the linker were asked for is in the programs, and what the
kernel is asked for in their processes."""

import glob
import os
import re
import subprocess

import pytest

from helpers import ROOT, all_workers, supervisor_pid

PROGRAMS = ["waybill", "waybill-fcgi"]
FLAGS = {"-fstack-protector-strong", "-fstack-clash-protection",
         "-ftrivial-auto-var-init=zero", "-fcf-protection=full", "-fPIE", "-O2"}
PAGE_BYTES = 4096
CET = re.compile(r"x86 feature:.*IBT.*SHSTK")


@pytest.fixture(scope="module")
def build(request):
    if request.config.getoption("--build") != "build":
        pytest.skip("sanitizers are built otherwise")
    return os.path.join(ROOT, "build")


@pytest.fixture(params=PROGRAMS)
def program(build, request):
    return os.path.join(build, request.param)


def readelf(*words):
    done = subprocess.run(
        ["readelf", "--wide", *words], capture_output=True, text=True,
        check=True, timeout=60, env={"PATH": "/usr/bin", "LC_ALL": "C.UTF-8"})
    return done.stdout


def test_the_linker_left_nothing_open(program):
    """Full RELRO, PIE, NX, no memory that is written and executed, no path of
    whoever built it."""
    dynamic = readelf("--dynamic", program)
    assert re.search(r"\(FLAGS\) +BIND_NOW", dynamic)
    assert re.search(r"\(FLAGS_1\) +Flags: NOW PIE", dynamic)
    assert not re.search(r"RPATH|RUNPATH|TEXTREL", dynamic)
    assert re.search(r"Type: +DYN", readelf("--file-header", program))
    segments = re.findall(
        r"^  (\w+) +(?:0x\w+ +){5}([RWE ]{3}) ",
        readelf("--program-headers", program), re.M)
    assert "GNU_RELRO" in dict(segments)
    assert dict(segments)["GNU_STACK"] == "RW "
    assert not [one for one in segments if "W" in one[1] and "E" in one[1]]
    # Code is on pages of its own, without what is only read.
    assert [flags for kind, flags in segments if kind == "LOAD"] \
        == ["R  ", "R E", "R  ", "RW "]


def test_the_compiler_guards_stacks_and_copies(program):
    symbols = set(re.findall(r" UND (\w+)", readelf("--dyn-syms", program)))
    assert "__stack_chk_fail" in symbols
    assert {"__explicit_bzero_chk", "__fprintf_chk", "__memcpy_chk",
            "__memmove_chk", "__snprintf_chk", "__vsnprintf_chk"} <= symbols


def test_all_code_was_compiled_with_all_flags(program):
    """As the compiler itself has noted it, of each file."""
    noted = re.findall(r"DW_AT_producer +:.*(GNU C.*)", readelf(
        "--debug-dump=info", "--dwarf-depth=1", program))
    assert len(noted) > 50
    assert [line for line in noted if FLAGS - set(line.split())] == []


def test_no_stack_grows_past_its_guard_page(program):
    """By a page at most, and each page is touched before the next one."""
    code = subprocess.run(
        ["objdump", "--disassemble", "--no-show-raw-insn", program],
        capture_output=True, text=True, check=True, timeout=60).stdout
    grows = re.findall(r"\tsub +\$0x([0-9a-f]{1,8}),%rsp\n.*\t(.*)\n", code)
    large = [(int(size, 16), then) for size, then in grows
             if int(size, 16) >= PAGE_BYTES]
    assert len(large) > 5
    assert [one for one in large
            if one[0] > PAGE_BYTES or one[1] != "orq    $0x0,(%rsp)"] == []


def test_fortify_is_3(build):
    """The calls that it guards bear the same names with 2."""
    done = subprocess.run(
        ["make", "--no-print-directory", "-n", "-B",
         f"{os.path.basename(build)}/shared/buf.o"], cwd=ROOT, check=True,
        capture_output=True, text=True, timeout=60)
    assert "-D_FORTIFY_SOURCE=3" in done.stdout.split()


def test_every_object_is_ready_for_indirect_branch_tracking(build):
    """The linker says so of a program only when all it is made of is: Debian 12's
    C library has start files that are not."""
    objects = [path for folder in ("shared", "fcgi", "ctl")
               for path in glob.glob(os.path.join(build, folder, "*.o"))]
    assert len(objects) > 100
    notes = re.split(r"^File: ", readelf("--notes", *objects), flags=re.M)[1:]
    assert len(notes) == len(objects)
    assert [text.split()[0] for text in notes if not CET.search(text)] == []
    start = subprocess.run(["gcc", "-print-file-name=Scrt1.o"], check=True,
                           capture_output=True, text=True).stdout.strip()
    for name in PROGRAMS:
        marked = CET.search(readelf("--notes", os.path.join(build, name)))
        assert bool(marked) == bool(CET.search(readelf("--notes", start)))


# --- processes -----------------------------------------------------------------------


def test_no_memory_of_a_worker_is_written_and_executed(stack, build):
    """What systemd adds, tests/boot looks at: no rights, seccomp."""
    for pool, pids in all_workers(stack).items():
        for pid in [supervisor_pid(stack, pool), *pids[:1]]:
            with open(f"/proc/{pid}/maps", encoding="utf-8") as file:
                maps = file.read()
            assert len(maps) > 1000
            assert not re.search(r"^\S+ \S*w\S*x", maps, re.M)
            assert re.search(r"^\S+ rw-p .*\[stack\]$", maps, re.M)
