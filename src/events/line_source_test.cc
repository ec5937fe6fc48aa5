#include "events/line_source.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include "base/random.h"
#include "events/test_files.h"

namespace perennial {
namespace {

struct Lines {
  std::vector<std::string> texts;
  std::vector<Line> lines;  // their text is gone
  Status failed;
  int64_t bytes_read = 0;
};

Lines read_lines(std::string_view bytes, size_t limit = 1 << 20) {
  const TestFolder folder;
  Lines out;
  auto source = LineSource::open(folder.write("input", bytes));
  out.failed = source.status();
  if (!source.ok()) return out;
  (*source)->set_limit(limit);
  Line line;
  while (true) {
    const Result<bool> more = (*source)->next(line);
    out.failed = more.status();
    out.bytes_read = (*source)->bytes_read();
    if (!more.ok() || !*more) return out;
    out.texts.emplace_back(line.text);
    out.lines.push_back(line);
  }
}

TEST(LineSource, GivesLinesWithAndWithoutLastNewline) {
  EXPECT_EQ(read_lines("a\n\nb\n").texts, (std::vector<std::string>{"a", "", "b"}));
  EXPECT_EQ(read_lines("a\nb").texts, (std::vector<std::string>{"a", "b"}));
  EXPECT_TRUE(read_lines("").texts.empty());
}

TEST(LineSource, SkipsTheByteOrderMarkOnlyAtTheStart) {
  EXPECT_EQ(read_lines("\xEF\xBB\xBF"
                       "a\n\xEF\xBB\xBF"
                       "b")
                .texts,
            (std::vector<std::string>{"a",
                                      "\xEF\xBB\xBF"
                                      "b"}));
  EXPECT_TRUE(read_lines("\xEF\xBB\xBF").texts.empty());
}

TEST(LineSource, RandomLinesComeBackPlainAndGzipped) {
  const uint64_t seed = 20260301;
  SCOPED_TRACE(seed);
  Random random(seed);
  std::string text;
  std::vector<std::string> wanted;
  for (int i = 0; i < 3000; ++i) {
    const size_t size = random.chance(0.01) ? random.below(300'000) : random.below(100);
    wanted.emplace_back(size, static_cast<char>('a' + i % 26));
    text += wanted.back() + "\n";
  }
  for (const std::string& bytes : {text, gzip(text)}) {
    const Lines lines = read_lines(bytes);
    ASSERT_TRUE(lines.failed.ok()) << lines.failed.message();
    EXPECT_TRUE(lines.texts == wanted);
    EXPECT_EQ(lines.bytes_read, static_cast<int64_t>(bytes.size()));
    EXPECT_EQ(lines.lines.back().number, 3000);
  }
}

TEST(LineSource, LongLineIsCutAndTheNextOnesAreWhole) {
  const std::string text =
      "short\n" + std::string(3'000'000, 'x') + "\nafter\n" + std::string(1025, 'y') + "\n" + std::string(1024, 'z');
  const Lines lines = read_lines(text, 1024);
  ASSERT_EQ(lines.lines.size(), 5u);
  EXPECT_TRUE(lines.lines[1].too_long);
  EXPECT_EQ(lines.lines[1].size, 3'000'000u);
  EXPECT_EQ(lines.texts[1], std::string(kShownBytes + 1, 'x'));
  EXPECT_EQ(lines.texts[2], "after");
  EXPECT_EQ(lines.lines[2].number, 3);
  EXPECT_TRUE(lines.lines[3].too_long) << "one byte over";
  EXPECT_FALSE(lines.lines[4].too_long) << "at the limit";
}

int64_t peak_memory_kib() {
  rusage usage = {};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss;
}

TEST(LineSource, HalfAGigabyteInOneLineCostsAlmostNoMemory) {
  const TestFolder folder;
  const fs::path path = folder.write("input", "first\n");
  constexpr size_t kHole = size_t{1} << 29;  // a hole in the file: zeros that take no disk
  fs::resize_file(path, 6 + kHole);
  std::ofstream(path, std::ios::binary | std::ios::app) << "\nlast\n";
  const int64_t before = peak_memory_kib();
  auto source = LineSource::open(path);
  ASSERT_TRUE(source.ok());
  (*source)->set_limit(1 << 20);
  Line line;
  ASSERT_TRUE(*(*source)->next(line));
  ASSERT_TRUE(*(*source)->next(line));
  EXPECT_TRUE(line.too_long);
  EXPECT_EQ(line.size, kHole);
  ASSERT_TRUE(*(*source)->next(line));
  EXPECT_EQ(line.text, "last");
  EXPECT_EQ(line.number, 3);
  EXPECT_LT(peak_memory_kib() - before, 16 << 10);
}

TEST(LineSource, GzipMembersFollowEachOther) {
  EXPECT_EQ(read_lines(gzip("a\nb") + gzip("c\nd\n") + gzip("") + gzip("e")).texts,
            (std::vector<std::string>{"a", "bc", "d", "e"}));
}

TEST(LineSource, GzipMayBePaddedWithZeros) {
  const Lines lines = read_lines(gzip("a\n") + std::string(1000, '\0'));
  EXPECT_TRUE(lines.failed.ok()) << lines.failed.message();
  EXPECT_EQ(lines.texts, std::vector<std::string>{"a"});
}

TEST(LineSource, TextBehindGzipDataIsALossAfterTheGoodLines) {
  for (const std::string& garbage :
       {std::string("plain text\n"), std::string("\0\0x", 3), std::string("\x1F"), std::string("\x1F\x8B\xFF\xFF")}) {
    const Lines lines = read_lines(gzip("a\nb\n") + garbage);
    EXPECT_EQ(lines.failed.code(), Code::data_loss) << lines.failed.message();
    EXPECT_EQ(lines.texts, (std::vector<std::string>{"a", "b"}));
  }
}

TEST(LineSource, GzipCutAnywhereIsALossAndNeverAnEnd) {
  std::string text;
  for (int i = 0; i < 40; ++i) text += std::to_string(i * 7919) + "\n";
  const std::string packed = gzip(text);
  const Lines whole = read_lines(packed);
  ASSERT_EQ(whole.texts.size(), 40u);
  for (size_t size = 2; size < packed.size(); ++size) {
    const Lines lines = read_lines(packed.substr(0, size));
    ASSERT_EQ(lines.failed.code(), Code::data_loss) << size;
    ASSERT_TRUE(says(lines.failed, "cut short")) << size;
    ASSERT_TRUE(std::equal(lines.texts.begin(), lines.texts.end(), whole.texts.begin())) << size;
  }
}

TEST(LineSource, DamagedGzipIsALoss) {
  std::string text;
  for (int i = 0; i < 5000; ++i) text += std::to_string(i * 7919) + "\n";
  std::string packed = gzip(text);
  packed[packed.size() - 6] ^= 1;  // of the checksum
  const Lines lines = read_lines(packed);
  EXPECT_EQ(lines.failed.code(), Code::data_loss);
  EXPECT_TRUE(says(lines.failed, "damaged"));
}

TEST(LineSource, TellsWhatCannotBeOpened) {
  const TestFolder folder;
  EXPECT_EQ(LineSource::open(folder.path() / "none").status().code(), Code::not_found);
  EXPECT_TRUE(says(LineSource::open(folder.path()).status(), "is a folder"));
}

}  // namespace
}  // namespace perennial
