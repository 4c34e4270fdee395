// Packed sets: the same images and the same name as what they were packed from, and every damage named.
#include <sys/resource.h>

#include <csignal>
#include <future>

#include "core/data/pack.h"
#include "core/data/packed_index.h"
#include "tests/core/data/files.h"

namespace core::data {
namespace {

class Packed : public Data {
 protected:
  static constexpr int images = 130;

  Packed() {
    for (int i = 0; i < images; ++i) {
      png(fmt::format("set/{}/{:03}.png", i % 3 == 0 ? "cats" : "dogs", i), 72, 64, 3,
          random_pixels(std::size_t{72} * 64 * 3, static_cast<unsigned>(i)));
    }
    write("set/dogs/000.png", "no image");
  }
  config::Data data(config::Unreadable unreadable) const {
    config::Data data;
    data.set_image_size(64);
    data.set_channels(3);
    data.set_unreadable(unreadable);
    data.mutable_training()->mutable_files()->add_path((folder_ / "set").string());
    return data;
  }
  /// Shards of 100 images of 12,288 bytes: each of more than one block, the last ones shorter.
  fs::path pack_set() const {
    pack(data(config::SKIP), data(config::SKIP).training().files(), folder_ / "packed", 100 * 12288, {});
    return folder_ / "packed";
  }
  static Dataset open_set(const fs::path& folder, int size = 64) {
    config::RunConfig config;
    config.mutable_data()->set_image_size(size);
    config.mutable_data()->set_channels(3);
    config.mutable_data()->mutable_training()->mutable_packed()->set_path(folder.string());
    return open(config, config.data().training());
  }
  template <typename Call>
  static std::string error_line(Call call) {
    try {
      call();
    } catch (const kernels::InputError& error) {
      return error.what();
    }
    return "no error";
  }
  std::vector<std::string> names() const {
    std::vector<std::string> found;
    for (const auto& entry : fs::directory_iterator(folder_)) found.push_back(entry.path().filename().string());
    std::sort(found.begin(), found.end());
    return found;
  }
};

TEST_F(Packed, IsTheSetThatItWasPackedFrom) {
  const Dataset files = open_files({(folder_ / "set").string()}, 64, 3, config::SKIP), packed = open_set(pack_set());
  ASSERT_EQ(packed.size(), images);
  EXPECT_EQ(packed.fingerprint(), files.fingerprint());
  EXPECT_EQ(packed.describe(), files.describe());
  EXPECT_EQ(packed.classes(), 2);
  EXPECT_EQ(packed.skipped(), 1);
  for (std::int64_t i = 0; i < images; ++i) {
    ASSERT_EQ(image(packed, i), image(files, i)) << i;
    ASSERT_EQ(packed.label(i), files.label(i)) << i;
  }
  EXPECT_EQ(fs::file_size(folder_ / "packed/shard-00000"), 100u * 12288);
  EXPECT_EQ(fs::file_size(folder_ / "packed/shard-00001"), 30u * 12288);
  EXPECT_EQ(contents(folder_ / "packed/shard-00001").substr(0, 12288),
            std::string(reinterpret_cast<const char*>(image(files, 100).data()), 12288));
}

TEST_F(Packed, EveryDamageIsNamedWithItsPlace) {
  const fs::path set = pack_set(), second = set / "shard-00001", first = set / "shard-00000", index = set / "index";
  const std::string good_first = contents(first), good_second = contents(second), good_index = contents(index);
  const auto line = [&] { return error_line([&] { open_set(set); }); };
  std::string bytes = good_first;
  bytes[(1 << 20) + 5] ^= 4;
  write("packed/shard-00000", bytes);
  EXPECT_EQ(line(), first.string() +
                        ": is damaged between bytes 1048576 and 1228800 (its checksum is another); remove "
                        "this set and make it again");
  write("packed/shard-00000", good_first);
  write("packed/shard-00001", good_second.substr(1));
  EXPECT_EQ(line(), second.string() +
                        ": has 368639 bytes where the index tells 368640: it is damaged; remove this set "
                        "and make it again");
  fs::remove(second);
  EXPECT_NE(line().find("cannot open " + second.string() + ": No such file"), std::string::npos) << line();
  write("packed/shard-00001", good_second);
  EXPECT_EQ(line(), "no error");
  for (const std::size_t at : {std::size_t{0}, good_index.size() / 2, good_index.size() - 1}) {
    bytes = good_index;
    bytes[at] ^= 1;
    write("packed/index", bytes);
    EXPECT_EQ(line(), index.string() + ": is damaged (its checksum is another); remove this set and make it again");
  }
  for (const std::size_t length : {std::size_t{0}, std::size_t{5}, std::size_t{8}, good_index.size() - 1}) {
    write("packed/index", good_index.substr(0, length));
    EXPECT_NE(line().find("is damaged"), std::string::npos) << length;
  }
  fs::remove(index);
  EXPECT_NE(line().find("is no packed set of images"), std::string::npos);
}

TEST_F(Packed, AnIndexThatContradictsItselfIsRefused) {
  const fs::path set = pack_set();
  const PackedIndex good = read_index(set);
  const auto refused = [&](auto change) {
    PackedIndex index = good;
    change(index);
    fs::remove(set / "index");
    write_index(set, index);
    const std::string line = error_line([&] { read_index(set); });
    EXPECT_TRUE(line.find("contradicts itself") != std::string::npos || line.find("has format") != std::string::npos)
        << line;
  };
  refused([](auto& i) { i.set_format(2); });
  refused([](auto& i) { i.set_images(131); });
  refused([](auto& i) { i.set_images(std::int64_t{1} << 62); });
  refused([](auto& i) { i.set_images(-1); });
  refused([](auto& i) { i.set_width(0); });
  refused([](auto& i) { i.set_channels(2); });
  refused([](auto& i) { i.set_shard_images(0); });
  refused([](auto& i) { i.set_block_bytes(0); });
  refused([](auto& i) { i.set_labels(7, 2); });
  refused([](auto& i) { i.set_labels(7, -1); });
  refused([](auto& i) { i.mutable_checksums()->RemoveLast(); });
}

TEST_F(Packed, AnotherShapeIsRefused) {
  EXPECT_EQ(error_line([&] { open_set(pack_set(), 32); }),
            (folder_ / "packed").string() +
                ": holds images of 64x64x3 where data.image_size is 32 and data.channels 3; "
                "set these, or pack the images again");
  EXPECT_EQ(error_of({(folder_ / "packed").string()}, 64),
            fmt::format("{0}: is a packed set of images; name it with packed {{ path: \"{0}\" }}",
                        (folder_ / "packed").string()));
}

TEST_F(Packed, NothingIsLeftWhereItFails) {
  const auto line = error_line(
      [&] { pack(data(config::STOP), data(config::STOP).training().files(), folder_ / "out", 1 << 20, {}); });
  EXPECT_NE(line.find("set/dogs/000.png is neither PNG nor JPEG"), std::string::npos) << line;
  EXPECT_EQ(names(), std::vector<std::string>{"set"});
  pack_set();
  EXPECT_EQ(error_line([&] { pack_set(); }),
            (folder_ / "packed").string() + ": is there already; remove it, or name another folder");
  const auto nowhere = error_line(
      [&] { pack(data(config::SKIP), data(config::SKIP).training().files(), "/proc/nosuch/out", 1 << 20, {}); });
  EXPECT_NE(nowhere.find("cannot make the directory /proc/nosuch/out.unfinished"), std::string::npos) << nowhere;
}

TEST_F(Packed, ACopyIsCheckedAndMadeOnce) {
  const fs::path set = pack_set(), local = folder_ / "local";
  fs::create_directories(local);
  const fs::path copy = stage(set, local, {});
  const std::string fingerprint = open_set(set).fingerprint();
  EXPECT_EQ(copy.parent_path(), local);
  EXPECT_EQ(open_set(copy).fingerprint(), fingerprint);
  const auto made = fs::last_write_time(copy / "index");
  EXPECT_EQ(stage(set, local, {}), copy);
  EXPECT_EQ(fs::last_write_time(copy / "index"), made);
  fs::remove_all(copy);
  std::string bytes = contents(set / "shard-00001");
  bytes[9] ^= 1;
  write("packed/shard-00001", bytes);
  EXPECT_NE(error_line([&] { stage(set, local, {}); }).find("shard-00001: is damaged between bytes 0 and 368640"),
            std::string::npos);
  EXPECT_TRUE(fs::is_empty(local));
}

TEST_F(Packed, ACopyIsOfTheLabelsToo) {
  const fs::path set = pack_set(), local = folder_ / "local";
  fs::create_directories(local);
  fs::rename(folder_ / "set/cats", folder_ / "set/bears");  // the same pixels in the same order
  pack(data(config::SKIP), data(config::SKIP).training().files(), folder_ / "other", 100 * 12288, {});
  const Dataset ours = open_set(stage(set, local, {})), theirs = open_set(stage(folder_ / "other", local, {}));
  EXPECT_EQ(std::vector<std::string>(ours.class_names().begin(), ours.class_names().end()),
            (std::vector<std::string>{"cats", "dogs"}));
  EXPECT_EQ(std::vector<std::string>(theirs.class_names().begin(), theirs.class_names().end()),
            (std::vector<std::string>{"bears", "dogs"}));
}

TEST_F(Packed, OneCopyIsMadeByJobsThatAskAtTheSameTime) {
  const fs::path set = pack_set(), local = folder_ / "local";
  fs::create_directories(local);
  std::vector<std::future<fs::path>> jobs;
  for (int job = 0; job < 8; ++job)
    jobs.push_back(std::async(std::launch::async, [&] { return stage(set, local, {}); }));
  for (auto& job : jobs) EXPECT_EQ(open_set(job.get()).fingerprint(), open_set(set).fingerprint());
  EXPECT_EQ(std::distance(fs::directory_iterator(local), fs::directory_iterator()), 1) << "nothing is left beside it";
}

TEST_F(Packed, AFullDiskIsSaid) {
  const fs::path set = pack_set();
  // A file that may not grow is a disk that is full, to whoever writes it.
  const rlimit small{1 << 20, RLIM_INFINITY};
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  setrlimit(RLIMIT_FSIZE, &small);
  fs::create_directories(folder_ / "local");
  const std::string line = error_line([&] { stage(set, folder_ / "local", {}); });
  setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  EXPECT_NE(line.find("cannot write " + (folder_ / "local").string()), std::string::npos) << line;
  EXPECT_TRUE(fs::is_empty(folder_ / "local"));
}

}  // namespace
}  // namespace core::data
