#!/usr/bin/env python3
"""Tests of the checks themselves: each must find the breach it is for, and leave sound text alone."""

import tempfile
import unittest
from pathlib import Path
from unittest import mock

import check_files
import check_headers
import check_layers
import check_tests
import check_tidy
import source_tree


def breaches(files, layers="base:\nlog: base\ntraining: base log\n"):
    """What check_layers says about a tree of these files."""
    files = files | {check_layers.LAYERS: layers}
    return check_layers.check(sorted(files), files.__getitem__)


class Layers(unittest.TestCase):
    def test_allowed_includes_pass(self):
        self.assertEqual(breaches({"src/log/a.h": '#include <vector>\n#include "base/b.h"\n#include "log/c.h"\n'}), [])

    def test_a_forbidden_include_is_named_with_its_line(self):
        found = breaches({"src/base/a.h": '#pragma once\n\n#include "log/b.h"\n'})
        self.assertEqual(found, ["src/base/a.h:3: base may not include log (it may include: nothing)"])

    def test_a_cycle_is_shown_as_a_path(self):
        found = breaches({}, "a: b\nb: c\nc: a\n")
        self.assertIn("a -> b -> c -> a", found[0])

    def test_a_diamond_is_no_cycle(self):
        self.assertEqual(breaches({}, "a:\nb: a\nc: a\nd: b c\n"), [])

    def test_an_unlisted_folder_is_found(self):
        self.assertEqual(breaches({"src/new/a.h": ""}), ["scripts/layers.txt: src/new is not listed"])

    def test_a_listed_name_must_be_a_folder_of_the_list(self):
        self.assertIn("may include c, which is not listed", breaches({}, "a: c\n")[0])

    def test_libtorch_outside_training_is_a_breach(self):
        text = "#include <torch/torch.h>\n"
        self.assertEqual(len(breaches({"src/log/a.cc": text})), 1)
        self.assertEqual(breaches({"src/training/a.cc": text}), [])
        self.assertEqual(len(breaches({"src/log/a.cc": "#include <ATen/ATen.h>\n"})), 1)

    def test_an_include_without_its_folder_is_a_breach(self):
        self.assertIn("must be written from src/", breaches({"src/log/a.cc": '#include "b.h"\n'})[0])
        self.assertIn("must be written from src/", breaches({"src/log/a.cc": '#include "../base/b.h"\n'})[0])

    def test_a_link_against_the_arrows_is_found_on_its_line(self):
        cmake = "perennial_folder(base LINK fmt::fmt\n                 perennial_log)\n"
        found = breaches({"src/CMakeLists.txt": cmake})
        self.assertEqual(found, ["src/CMakeLists.txt:2: base links perennial_log, which scripts/layers.txt does not allow"])

    def test_a_second_level_of_folders_is_a_breach(self):
        self.assertIn("have one level", breaches({"src/log/inner/a.h": ""})[0])


class Files(unittest.TestCase):
    def test_vague_names_fail_as_words_only(self):
        self.assertTrue(list(check_files.check_name("src/log/string_utils.h")))
        self.assertTrue(list(check_files.check_name("src/common/a.h")))
        self.assertFalse(list(check_files.check_name("src/log/commonality.h")))

    def test_a_path_of_one_machine_fails(self):
        for line in ("data = '/home/ada/ml-1m'", "cd /work/shop", "see /root/.cache/x", "/Users/ada/src"):
            self.assertTrue(list(check_files.check_text("a.md", line, set())), line)

    def test_portable_paths_pass(self):
        for line in ("/usr/include/eigen3", "http://host/home/index", "$HOME/work/data", "~/work/x", "GET /home", "a/work/b/c"):
            self.assertFalse(list(check_files.check_text("a.md", line, set())), line)

    def test_registry_addresses_fail(self):
        self.assertTrue(list(check_files.check_text("a.json", '"https://registry.example.org/x.tgz"', set())))
        self.assertTrue(list(check_files.check_text("a.md", "from mirror-of-ours.example", {"mirror-of-ours.example"})))
        self.assertFalse(list(check_files.check_text("a.md", "https://example.org/registry.html", set())))


class Headers(unittest.TestCase):
    def test_libtorch_is_found_through_other_headers_too(self):
        texts = {"src/t/a.h": "#include <torch/torch.h>\n", "src/t/b.h": '#include "t/a.h"\n',
                 "src/t/c.h": '#include "t/b.h"\n', "src/t/d.h": "#include <vector>\n"}
        self.assertEqual(check_headers.with_libtorch(list(texts), texts.get), {"src/t/a.h", "src/t/b.h", "src/t/c.h"})


class Mutations(unittest.TestCase):
    def mutation(self, **changes):
        values = {"name": "n", "file": "a.cc", "find": "x < 3", "replace": "x <= 3", "program": "p", "tests": "*"}
        return check_tests.Mutation(**(values | changes))

    def reason(self, text, **changes):
        with tempfile.TemporaryDirectory() as folder, mock.patch.object(source_tree, "ROOT", Path(folder)):
            (Path(folder) / "a.cc").write_text(text)
            return check_tests.why_not_applicable(self.mutation(**changes))

    def test_applies_only_when_the_text_stands_there_once(self):
        self.assertEqual(self.reason("if (x < 3)"), "")
        self.assertIn("0 times", self.reason("if (x < 4)"))
        self.assertIn("2 times", self.reason("if (x < 3 || x < 3)"))

    def test_a_new_layout_leaves_it_applicable(self):
        self.assertEqual(self.reason("if (x <\n    3)"), "")
        self.assertEqual(self.mutation().apply("if (x <\n    3) y"), "if (x <= 3) y")

    def test_a_mutation_that_changes_nothing_is_refused(self):
        self.assertIn("changes nothing", self.reason("x < 3", replace="x < 3"))

    def test_a_missing_file_is_said(self):
        self.assertIn("gone", self.reason("x < 3", file="b.cc"))

    def tried(self, compile_code, test_result):
        """The outcome of a mutation whose build and test end as given; the copy's file must be restored in any case."""
        copy = mock.Mock()
        copy.read.return_value = "if (x < 3)"
        copy.compile.return_value = mock.Mock(returncode=compile_code, stdout="a.cc:1: error: no")
        copy.test.return_value = test_result
        word, _ = check_tests.try_mutation(copy, self.mutation(), 1)
        self.assertEqual([call.args[1] for call in copy.write.call_args_list], ["if (x <= 3)", "if (x < 3)"])
        return word

    def test_red_is_caught_green_survives_and_a_failed_build_proves_nothing(self):
        self.assertEqual(self.tried(0, (False, "\t  3 - log/A.B (Failed)")), "caught")
        self.assertEqual(self.tried(0, (True, "")), "SURVIVED")
        self.assertEqual(self.tried(1, (False, "")), "BROKEN")

    def test_a_filter_that_selects_nothing_proves_nothing(self):
        copy = mock.Mock()
        copy.test.return_value = (False, "No tests were found!!!")
        self.assertIn("no test is called", check_tests.check_green(copy, [self.mutation()], 1)["*"])
        copy.test.return_value = (False, "The following tests FAILED:\n\t  3 - log/A.B (Failed)\n")
        self.assertEqual(check_tests.check_green(copy, [self.mutation()], 1), {"*": "red without the mutation: log/A.B"})
        copy.test.return_value = (True, "100% tests passed")
        self.assertEqual(check_tests.check_green(copy, [self.mutation()], 1), {})

    def test_the_failed_test_is_named_with_how_it_failed(self):
        self.assertEqual(check_tests.failed_test("\t 12 - log/A.B (Timeout)\n"), "log/A.B, Timeout")


class Tidy(unittest.TestCase):
    def test_output_splits_into_findings_with_their_notes(self):
        output = "a.cc:1:2: warning: one\n  code\na.cc:1:9: note: here\nb.cc:3:4: error: two\n"
        self.assertEqual(check_tidy.blocks_of(output),
                         ["a.cc:1:2: warning: one\n  code\na.cc:1:9: note: here", "b.cc:3:4: error: two"])
        self.assertEqual(check_tidy.blocks_of("clang-tidy: no such file\n"), ["clang-tidy: no such file"])
        self.assertEqual(check_tidy.blocks_of(""), [])


if __name__ == "__main__":
    unittest.main()
