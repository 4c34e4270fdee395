// The manifest of a checkpoint: written last, read first.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "distributed/checkpoint.pb.h"
#include "distributed/parameters.h"
#include "distributed/shard_file.h"

namespace distributed {

constexpr std::int32_t newest_format = 1;

/// Writes and syncs MANIFEST.pb (the message, then u64 length, its XXH3-64 and a magic number, so that no byte can
/// change unnoticed) and MANIFEST.txt, the same for people, which is never read. Throws FileError.
void write_manifest(const std::filesystem::path& directory, const Manifest& manifest);

/// Throws FileError: damaged where the bytes are not what was written; EPROTO where a newer scoremle wrote them.
Manifest read_manifest(const std::filesystem::path& directory);

void set_layout(Manifest& manifest, const Layout& layout);
Layout layout_of(const Manifest& manifest);

/// Throws FileError (damaged) unless the shards' parts of every section tile the flat space exactly once.
void check_coverage(const Manifest& manifest);

/// Throws FileError (damaged) unless the manifest is that of the checkpoint whose name `directory` ends with:
/// checkpoints are chosen by their names.
void check_name(const std::filesystem::path& directory, const Manifest& manifest);

ShardIdentity identity_of(const Manifest& manifest, const ManifestShard& shard);

/// Fills the targets from the shard files in `directory`, reading and verifying only the blocks they need. Throws
/// FileError; EPROTO where the checkpoint has no such section.
void read_sections(const std::filesystem::path& directory, const Manifest& manifest, std::span<const Target> targets);

/// Throws InputError unless a run with this layout and fixed config can go on from the checkpoint; the text lists the
/// fields that differ, as "model.channels: 64".
void require_same_run(const std::string& checkpoint, const Manifest& manifest, const Layout& layout,
                      const std::string& fixed_config);

}  // namespace distributed
