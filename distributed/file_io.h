// The file operations of core/storage, as checkpoints use them.
#pragma once

#include "core/storage/file_io.h"

namespace distributed {

using core::storage::checksum;
using core::storage::damaged;
using core::storage::File;
using core::storage::FileError;
using core::storage::make_directory;
using core::storage::rename_directory;
using core::storage::sync_directory;

}  // namespace distributed
