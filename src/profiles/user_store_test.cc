// Against a map, whatever comes and goes and however little memory there is; and what disks do.
#include "profiles/user_store.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <map>

#include "base/random.h"
#include "base/temporary_folder.h"

namespace perennial {
namespace {

/// A text, in its slot or, `Far`, by a pointer of the store's.
template <bool Far>
struct Text {
  std::string text;
  std::array<char, Far ? 64 : 0> padding{};
};
using Near = Text<false>;

}  // namespace

template <bool Far>
struct UserCodec<Text<Far>> {
  static void encode(const Text<Far>& value, std::string& out) { put_short_text(out, value.text); }
  static bool decode(ByteReader& in, Text<Far>& value) {
    value.text = in.get_short_text();
    return in.ok();
  }
  static size_t bytes(const Text<Far>& value) { return value.text.capacity(); }
};

namespace {

constexpr UserId kUsers = 40;

using Model = std::map<UserId, std::string>;

std::string snapshot_of(const Model& model) {
  std::string out;
  for (const auto& [user, text] : model) {
    std::string body;
    put_short_text(body, text);
    put_varint(out, user);
    put_short_text(out, body);
  }
  return out;
}

template <typename T>
class UserStoreTest : public testing::Test {
 protected:
  void expect_same(const UserStore<T>& store, const Model& model) {
    ASSERT_EQ(store.size(), model.size());
    Model all;
    store.for_each([&](UserId user, const T& value) { all[user] = value.text; });
    ASSERT_EQ(all, model);
    Model in_steps;
    store.for_each(at_once, [&](UserId user, const T& value) { in_steps[user] = value.text; });
    ASSERT_EQ(in_steps, model);
    for (UserId user = 0; user < kUsers + 3; ++user) {
      const Found<T> found = store.find(user);
      ASSERT_EQ(found != nullptr, model.contains(user));
      ASSERT_EQ(store.contains(user), model.contains(user));
      ASSERT_EQ(found ? found->text : "", model.contains(user) ? model.at(user) : "");
    }
  }

  TemporaryFolder folder_;
};

using Kinds = testing::Types<Text<false>, Text<true>>;
TYPED_TEST_SUITE(UserStoreTest, Kinds);

TYPED_TEST(UserStoreTest, AgreesWithAMapWhateverComesAndGoes) {
  for (uint64_t seed = 0; seed < 60; ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    UserStore<TypeParam> store;
    ASSERT_TRUE(seed % 4 == 0 || store.spill_to(this->folder_.path()).ok());
    const size_t budget = seed % 4 * 400;
    store.set_budget(seed % 4 == 0 ? SIZE_MAX : budget);
    Model model;
    std::optional<std::string> expected;  // of the snapshot under way
    std::string taken;
    for (int i = 0; i < 600; ++i) {
      const auto user = static_cast<UserId>(random.below(kUsers));
      const double draw = random.uniform();
      if (draw < 0.6) {
        std::string& text = store.edit(user).text;
        ASSERT_EQ(text, model[user]);
        text += std::string(1 + random.below(60), static_cast<char>('a' + i % 26));
        model[user] = text;
      } else if (draw < 0.7) {
        const std::optional<TypeParam> out = store.extract(user);
        ASSERT_EQ(out.has_value(), model.contains(user));
        ASSERT_EQ(out ? out->text : "", model.contains(user) ? model.at(user) : "");
        model.erase(user);
      } else if (draw < 0.75) {
        store.erase(user);
        model.erase(user);
      } else if (draw < 0.8) {
        store.make_room(random.below(50));
      } else if (draw < 0.85) {
        store.scrub(random.below(4));
      } else if (!expected) {
        store.begin_snapshot();
        expected = snapshot_of(model);
        taken.clear();
      } else if (!store.next_of_snapshot(taken.size() + 1 + random.below(300), taken)) {
        ASSERT_EQ(taken, *expected) << "of the moment when it began";
        store.end_snapshot();
        expected.reset();
      }
      if (i % 50 == 0) this->expect_same(store, model);
    }
    this->expect_same(store, model);
    EXPECT_TRUE(seed % 4 == 0 || store.memory_bytes() < budget + 3000) << store.memory_bytes();
    EXPECT_TRUE(store.damage().ok());

    UserStore<TypeParam> read;
    ASSERT_TRUE(read.spill_to(this->folder_.path()).ok());
    read.set_budget(budget * 4);
    for (const auto& [user, text] : model) {
      std::string body;
      put_short_text(body, text);
      ASSERT_TRUE(read.add_encoded(user, body).ok());
      ASSERT_EQ(read.add_encoded(user, body).code(), Code::data_loss) << "twice";
    }
    this->expect_same(read, model);
  }
}

TYPED_TEST(UserStoreTest, BytesThatAreNoUserAreRefused) {
  UserStore<TypeParam> store;
  EXPECT_EQ(store.add_encoded(1, "\x09short").code(), Code::data_loss);
  EXPECT_EQ(store
                .add_encoded(1,
                             "\x01"
                             "ab")
                .code(),
            Code::data_loss)
      << "something follows";
}

class SpilledUsers : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(store_.spill_to(folder_.path()).ok());
    store_.set_budget(0);
  }

  /// The file without a name, opened anew.
  int open_file() const {
    for (const auto& entry : fs::directory_iterator("/proc/self/fd")) {
      std::error_code error;
      const std::string target = fs::read_symlink(entry.path(), error).string();
      if (target.starts_with(folder_.path().string())) return ::open(entry.path().c_str(), O_RDWR | O_CLOEXEC);
    }
    return -1;
  }

  std::string file_bytes() const {
    const int file = open_file();
    EXPECT_GE(file, 0);
    std::string bytes(16 << 20, '\0');
    const ssize_t got = ::pread(file, bytes.data(), bytes.size(), 0);
    ::close(file);
    return bytes.substr(0, got < 0 ? 0 : static_cast<size_t>(got));
  }

  /// So much that what was put before is in the file, and not only in what waits for it.
  void fill() {
    for (UserId user = 1000; user < 4000; ++user) store_.edit(user).text = std::string(1000, 'x');
  }

  TemporaryFolder folder_;
  UserStore<Near> store_;
};

TEST_F(SpilledUsers, NothingOfAnErasedOneStaysInTheFile) {
  for (int round = 0; round < 20; ++round) store_.edit(1).text += "Secret ";  // grows, and moves from place to place
  store_.edit(2).text = "Secret guest, to be merged";
  fill();
  ASSERT_NE(file_bytes().find("Secret"), std::string::npos);
  store_.edit(1).text += store_.extract(2)->text;
  store_.edit(3).text = "another";
  store_.erase(1);
  EXPECT_EQ(file_bytes().find("Secret"), std::string::npos);
}

TEST_F(SpilledUsers, OneThatCannotBeReadIsNobodyAndSaysSo) {
  store_.edit(1).text = "a long history";
  fill();
  const int file = open_file();
  ASSERT_EQ(::ftruncate(file, 0), 0);
  ::close(file);
  EXPECT_TRUE(store_.damage().ok());
  EXPECT_EQ(store_.find(1), nullptr);
  EXPECT_EQ(store_.damage().code(), Code::data_loss);
  EXPECT_EQ(store_.edit(1).text, "") << "and begins anew";
}

TEST_F(SpilledUsers, WhomTheFileDoesNotTakeStaysInMemory) {
  const auto before = std::signal(SIGXFSZ, SIG_IGN);
  rlimit limit{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &limit), 0);
  const rlimit none{.rlim_cur = 0, .rlim_max = limit.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &none), 0);
  fill();
  store_.edit(1).text = "kept";
  EXPECT_FALSE(store_.make_room(100'000));
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &limit), 0);
  EXPECT_GT(store_.in_memory(), 1000U);
  EXPECT_EQ(store_.find(1)->text, "kept");
  for (UserId user = 1000; user < 4000; ++user) ASSERT_EQ(store_.find(user)->text.size(), 1000U) << user;
  EXPECT_TRUE(store_.damage().ok());
  EXPECT_TRUE(store_.make_room(100'000)) << "the disk is back";
  EXPECT_EQ(store_.in_memory(), 0U);
  EXPECT_EQ(store_.find(1)->text, "kept");
  std::signal(SIGXFSZ, before);
}

}  // namespace
}  // namespace perennial
