#include "server/api_keys.h"

#include <gtest/gtest.h>

#include "server/test_server.h"

namespace perennial {
namespace {

TEST(ApiKeys, KeyIsKnownAgainAfterReopening) {
  const TemporaryFolder folder;
  std::string key;
  {
    const Result<std::unique_ptr<ApiKeys>> keys = ApiKeys::open(folder.path());
    ASSERT_TRUE(keys.ok());
    key = (*keys)->create("shop", KeyRole::read, 1000).value();
    EXPECT_EQ((*keys)->role_of(key), KeyRole::read);
  }
  const Result<std::unique_ptr<ApiKeys>> again = ApiKeys::open(folder.path());
  ASSERT_TRUE(again.ok());
  EXPECT_EQ((*again)->role_of(key), KeyRole::read);
  EXPECT_EQ((*again)->role_of(key + "0"), std::nullopt);
  EXPECT_EQ((*again)->role_of(""), std::nullopt);
  ASSERT_EQ((*again)->list().size(), 1u);
  EXPECT_EQ((*again)->list()[0].label, "shop");
  EXPECT_EQ((*again)->list()[0].created_at, 1000);
}

TEST(ApiKeys, FileHoldsNoKeyAndIsItsOwnersOnly) {
  const TemporaryFolder folder;
  const Result<std::unique_ptr<ApiKeys>> keys = ApiKeys::open(folder.path());
  const std::string key = (*keys)->create("x", KeyRole::admin, 0).value();
  const std::string text = read_file(folder.path() / "keys.json").value();
  EXPECT_EQ(text.find(key), std::string::npos);
  EXPECT_TRUE(has(text, to_hex(sha256(key))));
  const fs::perms mode = fs::status(folder.path() / "keys.json").permissions();
  EXPECT_EQ(mode, fs::perms::owner_read | fs::perms::owner_write);
}

TEST(ApiKeys, RevokedKeyIsUnknownAndOthersStay) {
  const TemporaryFolder folder;
  const Result<std::unique_ptr<ApiKeys>> keys = ApiKeys::open(folder.path());
  const std::string first = (*keys)->create("a", KeyRole::write, 0).value();
  const std::string second = (*keys)->create("b", KeyRole::read, 0).value();
  ASSERT_TRUE((*keys)->revoke((*keys)->list()[0].id).ok());
  EXPECT_EQ((*keys)->role_of(first), std::nullopt);
  EXPECT_EQ((*keys)->role_of(second), KeyRole::read);
  EXPECT_EQ((*keys)->revoke("nothing").code(), Code::not_found);
}

TEST(ApiKeys, RuinedFileIsAnErrorAndNotAnOpenDoor) {
  const TemporaryFolder folder;
  for (const char* text : {"", "{", "[]", R"({"keys":7})", R"({"keys":[7]})", R"({"keys":[{"role":"king"}]})",
                           R"({"keys":[{"role":"read","created_at":"2026-01-01","sha256":"12"}]})"}) {
    ASSERT_TRUE(write_file_atomically(folder.path() / "keys.json", text).ok());
    const Result<std::unique_ptr<ApiKeys>> keys = ApiKeys::open(folder.path());
    ASSERT_FALSE(keys.ok()) << text;
    EXPECT_EQ(keys.status().code(), Code::data_loss);
  }
}

TEST(ApiKeys, RuinedReloadKeepsTheKeysBefore) {
  const TemporaryFolder folder;
  const Result<std::unique_ptr<ApiKeys>> keys = ApiKeys::open(folder.path());
  const std::string key = (*keys)->create("a", KeyRole::write, 0).value();
  ASSERT_TRUE(write_file_atomically(folder.path() / "keys.json", "rubbish").ok());
  EXPECT_FALSE((*keys)->reload_if_changed().ok());
  EXPECT_TRUE((*keys)->reload_if_changed().ok()) << "told once";
  EXPECT_EQ((*keys)->role_of(key), KeyRole::write);
}

TEST(ApiKeys, RevocationIsTakenUpThoughTheFilesTimeIsTheSame) {
  const TemporaryFolder folder;
  const fs::path file = folder.path() / "keys.json";
  const Result<std::unique_ptr<ApiKeys>> running = ApiKeys::open(folder.path());
  const Result<std::unique_ptr<ApiKeys>> other = ApiKeys::open(folder.path());
  const std::string key = (*other)->create("a", KeyRole::read, 0).value();
  const fs::file_time_type time = fs::last_write_time(file);
  ASSERT_TRUE((*running)->reload_if_changed().ok());
  ASSERT_EQ((*running)->role_of(key), KeyRole::read);
  ASSERT_TRUE((*other)->revoke((*other)->list()[0].id).ok());
  fs::last_write_time(file, time);
  ASSERT_TRUE((*running)->reload_if_changed().ok());
  EXPECT_EQ((*running)->role_of(key), std::nullopt);
}

TEST(ApiKeys, RolesAllowWhatTheySay) {
  for (const KeyRole needed : {KeyRole::write, KeyRole::read, KeyRole::admin}) {
    EXPECT_TRUE(role_allows(KeyRole::admin, needed));
    EXPECT_TRUE(role_allows(needed, needed));
  }
  EXPECT_FALSE(role_allows(KeyRole::write, KeyRole::read));
  EXPECT_FALSE(role_allows(KeyRole::read, KeyRole::write));
  EXPECT_FALSE(role_allows(KeyRole::read, KeyRole::admin));
  EXPECT_FALSE(key_role_from_name("root").ok());
}

TEST(ApiKeys, LabelHasALimit) {
  const TemporaryFolder folder;
  const Result<std::unique_ptr<ApiKeys>> keys = ApiKeys::open(folder.path());
  EXPECT_EQ((*keys)->create(std::string(101, 'x'), KeyRole::read, 0).status().code(), Code::invalid_argument);
  EXPECT_EQ((*keys)->create("\xFF", KeyRole::read, 0).status().code(), Code::invalid_argument);
  EXPECT_TRUE((*keys)->list().empty());
}

}  // namespace
}  // namespace perennial
