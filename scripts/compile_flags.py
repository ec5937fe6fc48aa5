"""The flags that a file of src/ is compiled with, out of CMake's compile_commands.json, less precompiled headers.

g++'s precompiled headers mean nothing to clang-tidy, and would hide an include that is missing.
"""

import json
import shlex
from pathlib import Path

import source_tree

# Options of these names are followed by a value of their own.
WITH_VALUE = {"-isystem", "-I", "-D"}
FALLBACK = ["-std=c++20", f"-I{source_tree.ROOT}/src", "-isystem", "/usr/include/eigen3"]


def without_precompiled_header(words):
    kept, words = [], iter(words)
    for word in words:
        if word == "-include":
            next(words)
        elif word != "-Winvalid-pch":
            kept.append(word)
    return kept


class CompileFlags:
    def __init__(self, build):
        path = Path(build) / "compile_commands.json"
        self.entries = json.loads(path.read_text()) if path.is_file() else []
        for entry in self.entries:
            entry["command"] = shlex.join(without_precompiled_header(shlex.split(entry["command"])))
        self.by_file = {str(Path(entry["file"]).resolve()): shlex.split(entry["command"]) for entry in self.entries}

    def knows_folder(self, folder):
        start = str(source_tree.ROOT / "src" / folder) + "/"
        return any(file.startswith(start) for file in self.by_file)

    def has(self, name):
        return str((source_tree.ROOT / name).resolve()) in self.by_file

    def mention(self, name, text):
        """Whether a flag that the file is compiled with holds the text."""
        return any(text in word for word in self.by_file[str((source_tree.ROOT / name).resolve())])

    def write(self, folder):
        """compile_commands.json in `folder`, for clang's tools."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "compile_commands.json").write_text(json.dumps(self.entries, indent=1))

    def of_folder(self, folder):
        """Language, include and definition flags of some file in src/FOLDER, or such that do for most."""
        start = str(source_tree.ROOT / "src" / folder) + "/"
        command = next((command for file, command in self.by_file.items() if file.startswith(start)), None)
        if command is None:
            return FALLBACK
        flags, words = [], iter(command[1:])
        for word in words:
            if word in WITH_VALUE:
                flags += [word, next(words)]
            elif word.startswith(("-std=", "-I", "-D", "-f", "-m", "-pthread")):
                flags.append(word)
        return flags
