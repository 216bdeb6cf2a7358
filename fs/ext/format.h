#pragma once
/*
 * The ext family on disk, little-endian. Names are those of the documentation of ext4's layout
 * without their prefixes; fields that nothing here looks at are left out by _pad.
 */
#include "kernel/lib/types.h"

#define EXT_MAGIC 0xef53
#define EXT_SUPER_OFFSET 1024u
#define EXT_ROOT_INO 2u
#define EXT_LINK_MAX 32000u
#define EXT_WANT_EXTRA 32u /* of new inodes that have room */
#define EXT_NDIR 12u /* direct blocks of an inode */
#define EXT_IND 12u /* then the single, double and triple indirect one */
#define EXT_NBLOCKS 15u
#define EXT_NAME_MAX 255u
#define EXT_LINK_INLINE 60u

struct ext_super_disk {
	u32 inodes_count, blocks_count, r_blocks_count, free_blocks_count, free_inodes_count;
	u32 first_data_block, log_block_size, log_frag_size;
	u32 blocks_per_group, frags_per_group, inodes_per_group;
	u32 mtime, wtime;
	u16 mnt_count, max_mnt_count, magic, state, errors, minor_rev_level;
	u32 lastcheck, checkinterval, creator_os, rev_level;
	u16 def_resuid, def_resgid;
	u32 first_ino;
	u16 inode_size, block_group_nr;
	u32 feature_compat, feature_incompat, feature_ro_compat;
	u8 uuid[16];
	char volume_name[16], last_mounted[64];
	u32 algorithm_usage_bitmap;
	u8 prealloc_blocks, prealloc_dir_blocks;
	u16 reserved_gdt_blocks;
	u8 journal_uuid[16];
	u32 journal_inum, journal_dev, last_orphan;
	u32 hash_seed[4];
	u8 def_hash_version, jnl_backup_type;
	u16 desc_size;
	u32 default_mount_opts, first_meta_bg;
	u8 _pad[760];
};
_Static_assert(sizeof(struct ext_super_disk) == 1024, "superblock");

/* super.state */
#define EXT_VALID 1u
#define EXT_ERRORS 2u

/* super.feature_* */
#define EXT_COMPAT_EXT_ATTR 0x8u
#define EXT_COMPAT_DIR_INDEX 0x20u
#define EXT_INCOMPAT_FILETYPE 0x2u
#define EXT_RO_SPARSE_SUPER 0x1u
#define EXT_RO_LARGE_FILE 0x2u
#define EXT_RO_BTREE_DIR 0x4u

struct ext_group_disk {
	u32 block_bitmap, inode_bitmap, inode_table;
	u16 free_blocks_count, free_inodes_count, used_dirs_count, flags;
	u8 _pad[12];
};
_Static_assert(sizeof(struct ext_group_disk) == 32, "group descriptor");

struct ext_inode_disk {
	u16 mode, uid;
	u32 size, atime, ctime, mtime, dtime;
	u16 gid, links_count;
	u32 blocks, flags, osd1;
	u32 block[EXT_NBLOCKS];
	u32 generation, file_acl, size_high, faddr;
	u16 osd2_pad, file_acl_high, uid_high, gid_high;
	u32 osd2_pad2;
	/* Beyond 128 bytes, as far as extra_isize says. */
	u16 extra_isize, checksum_hi;
	u32 ctime_extra, mtime_extra, atime_extra, crtime, crtime_extra;
};
_Static_assert(sizeof(struct ext_inode_disk) == 152, "inode with the times we know");
#define EXT_INODE_OLD 128u

/* inode.flags */
#define EXT_SECRM_FL 0x1u
#define EXT_UNRM_FL 0x2u
#define EXT_COMPR_FL 0x4u
#define EXT_SYNC_FL 0x8u
#define EXT_IMMUTABLE_FL 0x10u
#define EXT_APPEND_FL 0x20u
#define EXT_NODUMP_FL 0x40u
#define EXT_NOATIME_FL 0x80u
#define EXT_INDEX_FL 0x1000u
#define EXT_NOTAIL_FL 0x8000u
#define EXT_DIRSYNC_FL 0x10000u
#define EXT_TOPDIR_FL 0x20000u
#define EXT_VISIBLE_FL 0x4bdfffu
#define EXT_SETTABLE_FL 0x380ffu /* of those that FS_IOC_SETFLAGS may change */
/* What a new inode takes over from its directory; links nothing of it but the harmless. */
#define EXT_INHERITED_FL                                                           \
	(EXT_SECRM_FL | EXT_UNRM_FL | EXT_COMPR_FL | EXT_SYNC_FL | EXT_NODUMP_FL | \
	 EXT_NOATIME_FL | EXT_NOTAIL_FL | EXT_DIRSYNC_FL)

struct ext_dirent_disk {
	u32 inode;
	u16 rec_len;
	u8 name_len, file_type;
	char name[];
};
_Static_assert(sizeof(struct ext_dirent_disk) == 8, "directory record");

/* Extended attributes: a block of them, or behind the times in a large inode. */
#define EXT_XATTR_MAGIC 0xea020000u
enum ext_xattr_index {
	EXT_XATTR_USER = 1,
	EXT_XATTR_ACL_ACCESS = 2, /* without a name behind it */
	EXT_XATTR_ACL_DEFAULT = 3,
	EXT_XATTR_TRUSTED = 4,
	EXT_XATTR_SECURITY = 6,
};
struct ext_xattr_header {
	u32 magic, refcount, blocks, hash, checksum;
	u32 _pad[3];
};
_Static_assert(sizeof(struct ext_xattr_header) == 32, "attribute block");
struct ext_xattr_entry {
	u8 name_len, name_index;
	u16 value_offs;
	u32 value_block, value_size, hash;
	char name[];
};
_Static_assert(sizeof(struct ext_xattr_entry) == 16, "attribute");
