#include "base/files.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <thread>

#include "base/temporary_folder.h"

namespace perennial {
namespace {

class Files : public testing::Test {
 protected:
  [[nodiscard]] size_t entries() const {
    return static_cast<size_t>(std::distance(fs::directory_iterator(folder_), fs::directory_iterator()));
  }

  const TemporaryFolder temporary_;
  const fs::path& folder_ = temporary_.path();
};

TEST_F(Files, WrittenBytesAreReadBack) {
  for (const size_t size : {0U, 1U, 65'535U, 65'536U, 65'537U, 1'000'000U}) {
    std::string bytes(size, '\0');
    for (size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>(i * 31 + i / 256);
    ASSERT_TRUE(write_file_atomically(folder_ / "file", bytes).ok());
    EXPECT_EQ(read_file(folder_ / "file").value(), bytes) << size;
  }
  EXPECT_EQ(entries(), 1U) << "temporary files are left";
}

TEST_F(Files, LimitIsTheLargestSizeRead) {
  ASSERT_TRUE(write_file_atomically(folder_ / "file", "12345").ok());
  EXPECT_EQ(read_file(folder_ / "file", 5).value(), "12345");
  EXPECT_EQ(read_file(folder_ / "file", 4).status().code(), Code::resource_exhausted);
}

TEST_F(Files, HugeSparseFileIsRefusedWithoutMemory) {
  ASSERT_TRUE(write_file_atomically(folder_ / "file", "").ok());
  fs::resize_file(folder_ / "file", uintmax_t{1} << 42);
  EXPECT_EQ(read_file(folder_ / "file").status().code(), Code::resource_exhausted);
}

TEST_F(Files, PipesAreReadToTheirEndAndLimited) {
  const fs::path pipe = folder_ / "pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  const auto read_what_is_written = [&](size_t limit) {
    std::jthread writer([&] {
      FILE* file = std::fopen(pipe.c_str(), "w");
      std::fputs("through the pipe", file);
      std::fclose(file);
    });
    return read_file(pipe, limit);
  };
  EXPECT_EQ(read_what_is_written(100).value(), "through the pipe");
  EXPECT_EQ(read_what_is_written(3).status().code(), Code::resource_exhausted);
}

TEST_F(Files, FailuresNameTheFile) {
  const Result<std::string> missing = read_file(folder_ / "none");
  EXPECT_EQ(missing.status().code(), Code::not_found);
  EXPECT_NE(missing.status().message().find((folder_ / "none").string()), std::string::npos);
  EXPECT_EQ(read_file(folder_).status().code(), Code::failed_precondition);
  EXPECT_EQ(write_file_atomically(folder_ / "no" / "file", "x").code(), Code::not_found);
}

TEST_F(Files, FailedWriteLeavesTheOldFileAndNoRubbish) {
  ASSERT_TRUE(make_folder(folder_ / "target" / "inside").ok());
  EXPECT_FALSE(write_file_atomically(folder_ / "target", "x").ok());  // a folder stands where the file should
  EXPECT_TRUE(fs::is_directory(folder_ / "target" / "inside"));
  EXPECT_EQ(entries(), 1U);
}

TEST_F(Files, WriteThatRunsOutOfRoomKeepsTheOldFile) {
  ASSERT_TRUE(write_file_atomically(folder_ / "file", "old").ok());
  const pid_t child = ::fork();
  if (child == 0) {
    const rlimit limit{1000, 1000};  // a limit of the file size stands for a full disk
    ::signal(SIGXFSZ, SIG_IGN);
    const bool limited = ::setrlimit(RLIMIT_FSIZE, &limit) == 0;
    const Status status = write_file_atomically(folder_ / "file", std::string(5000, 'x'));
    ::_exit(limited && status.code() == Code::resource_exhausted ? 0 : 1);
  }
  int outcome = -1;
  ASSERT_EQ(::waitpid(child, &outcome, 0), child);
  EXPECT_EQ(outcome, 0);
  EXPECT_EQ(read_file(folder_ / "file").value(), "old");
  EXPECT_EQ(entries(), 1U);
}

TEST_F(Files, PartsAreWrittenInTheirOrderAndAnErrorBetweenThemKeepsTheOldFile) {
  const auto write = [&](bool fails) {
    return write_file_atomically(folder_ / "file", [&](const BytesWriter& part) {
      Status status = part("one, ");
      if (status.ok()) status = fails ? invalid_argument("no more") : part("two");
      return status;
    });
  };
  ASSERT_TRUE(write(false).ok());
  EXPECT_EQ(write(true).message(), "no more");
  EXPECT_THROW((void)write_file_atomically(
                   folder_ / "file", [](const BytesWriter&) -> Status { throw std::runtime_error("none at all"); }),
               std::runtime_error);
  EXPECT_EQ(read_file(folder_ / "file").value(), "one, two");
  EXPECT_EQ(entries(), 1U);
}

TEST_F(Files, FolderIsMadeWithThoseAboveAndAgain) {
  EXPECT_TRUE(make_folder(folder_ / "a" / "b" / "c").ok());
  EXPECT_TRUE(make_folder(folder_ / "a" / "b" / "c").ok());
  EXPECT_TRUE(fs::is_directory(folder_ / "a" / "b" / "c"));
  ASSERT_TRUE(write_file_atomically(folder_ / "file", "x").ok());
  EXPECT_FALSE(make_folder(folder_ / "file").ok());
  EXPECT_FALSE(make_folder(folder_ / "file" / "below").ok());
}

TEST_F(Files, SyncOfAMissingFolderFails) {
  EXPECT_TRUE(sync_folder(folder_).ok());
  EXPECT_EQ(sync_folder(folder_ / "none").code(), Code::not_found);
}

TEST_F(Files, LockKeepsASecondOneOutAndNamesItsHolder) {
  Result<FileLock> first = FileLock::acquire(folder_ / "lock", "one at a time");
  ASSERT_TRUE(first.ok());
  const Result<FileLock> second = FileLock::acquire(folder_ / "lock", "one at a time");
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.status().code(), Code::failed_precondition);
  EXPECT_NE(second.status().message().find(fmt::format("process {}", ::getpid())), std::string::npos)
      << second.status().message();
}

TEST_F(Files, LockEndsWithItsObjectAndMoves) {
  {
    FileLock first = FileLock::acquire(folder_ / "lock", "one at a time").value();
    FileLock moved = std::move(first);
    EXPECT_FALSE(FileLock::acquire(folder_ / "lock", "one at a time").ok());
    FileLock other = FileLock::acquire(folder_ / "other", "one at a time").value();
    other = std::move(moved);
    EXPECT_FALSE(FileLock::acquire(folder_ / "lock", "one at a time").ok());
  }
  EXPECT_TRUE(FileLock::acquire(folder_ / "lock", "one at a time").ok());
  EXPECT_TRUE(FileLock::acquire(folder_ / "other", "one at a time").ok());
}

TEST_F(Files, LockDiesWithItsProcess) {
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const Result<FileLock> lock = FileLock::acquire(folder_ / "lock", "one at a time");
    const char answer = lock.ok() ? 'y' : 'n';
    const bool told = ::write(ready[1], &answer, 1) == 1;
    while (told) ::pause();
    ::_exit(1);
  }
  char answer = 0;
  ASSERT_EQ(::read(ready[0], &answer, 1), 1);
  EXPECT_EQ(answer, 'y');
  const Result<FileLock> while_alive = FileLock::acquire(folder_ / "lock", "one at a time");
  EXPECT_FALSE(while_alive.ok());
  EXPECT_NE(while_alive.status().message().find(std::to_string(child)), std::string::npos);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  EXPECT_TRUE(FileLock::acquire(folder_ / "lock", "one at a time").ok());
  ::close(ready[0]);
  ::close(ready[1]);
}

TEST(MappedFile, HoldsTheBytesAlsoWhenTheFileIsReplaced) {
  const TemporaryFolder folder;
  const fs::path path = folder.path() / "file";
  ASSERT_TRUE(write_file_atomically(path, "as it was").ok());
  MappedFile file = MappedFile::open(path).value();
  ASSERT_TRUE(write_file_atomically(path, "another").ok());
  EXPECT_EQ(file.bytes(), "as it was");
  file = MappedFile::open(path).value();
  EXPECT_EQ(file.bytes(), "another");
}

TEST(MappedFile, MayBeEmptyButMustBeThere) {
  const TemporaryFolder folder;
  ASSERT_TRUE(write_file_atomically(folder.path() / "empty", "").ok());
  EXPECT_EQ(MappedFile::open(folder.path() / "empty").value().bytes(), "");
  EXPECT_EQ(MappedFile::open(folder.path() / "none").status().code(), Code::not_found);
  EXPECT_FALSE(MappedFile::open(folder.path()).ok()) << "a folder";
}

}  // namespace
}  // namespace perennial
