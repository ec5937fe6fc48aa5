// perennial train: starts perennial-train, which lies beside this program, so that this one never loads libtorch.
#include <unistd.h>

#include <filesystem>

#include "cli/command_line.h"

namespace perennial {
namespace {

Status run(const std::vector<std::string>& arguments) {
  std::error_code error;
  const fs::path self = fs::read_symlink("/proc/self/exe", error);
  const fs::path trainer = self.parent_path() / "perennial-train";
  std::vector<std::string> words = {trainer.string()};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  // Threads that wait by sleeping: spinning ones take the cores from the server, and from each other.
  ::setenv("OMP_WAIT_POLICY", "passive", /*overwrite=*/0);
  ::execv(trainer.c_str(), pointers.data());
  return errno_status(errno, fmt::format("starting {}", trainer.string()));
}

}  // namespace

void add_train_command(CLI::App& app, CommandLine& line) {
  CLI::App* command = app.add_subcommand("train", "Train the behaviour Transformer (see 'perennial train --help')");
  command->prefix_command();
  command->set_help_flag();
  command->callback([&line, command] { line.action = [command] { return run(command->remaining()); }; });
}

}  // namespace perennial
