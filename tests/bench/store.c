/*
 * Raw files as tensors of a commit, and back, with the registry's own calls:
 *	store put FOLDER WIDTH FILE...	one tensor a file into main, hashed, synced
 *	store get FOLDER OUT		all of them into files, every chunk and SHA-256 checked
 * Files are streamed. Tensors stand in bench/<n>, their sizes and digests in bench/list.
 */
#include "base/error.h"
#include "base/file.h"
#include "base/mem.h"
#include "registry/commit.h"
#include "registry/history.h"
#include "registry/packer.h"
#include "registry/payload.h"
#include "registry/ref.h"
#include "registry/registry.h"
#include "registry/tree.h"
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static int from_file(void *arg, void *out, size_t n, uint64_t at)
{
	char *p = out;

	(void)at;
	while (n) {
		ssize_t got = read(*(int *)arg, p, n);

		if (got <= 0)
			return sg_fail(SG_E_IO, "short file");
		p += got;
		n -= (size_t)got;
	}
	return 0;
}

static int put(struct sg_registry *r, unsigned width, char **file, int n)
{
	struct sg_oid head = { 0 }, tree, made;
	struct sg_packer *p = NULL;
	struct sg_tree *t = NULL;
	struct sg_buf list = { 0 };

	SG_TRY(sg_rev_parse(&head, r, "HEAD"));
	SG_TRY(sg_packer_open(&p, r));
	SG_TRY(sg_tree_edit(&t, r, &head));
	for (int i = 0; i < n; i++) {
		int fd = open(file[i], O_RDONLY | O_CLOEXEC);
		char sum[SG_SHA256_HEX], path[64];
		struct stat st;

		if (fd < 0 || fstat(fd, &st) < 0)
			return sg_fail_errno(SG_E_IO, "cannot open '%s'", file[i]);
		snprintf(path, sizeof(path), "bench/%d", i);
		SG_TRY(sg_payload_write_from(sum, p, t, path, from_file, &fd, (size_t)st.st_size, width, NULL));
		SG_TRY(sg_buf_fmt(&list, "%lld %s\n", (long long)st.st_size, sum));
		close(fd);
	}
	SG_TRY(sg_tree_put_data(t, p, "bench/list", list.data, list.len));
	SG_TRY(sg_tree_write(&tree, t, p));
	SG_TRY(sg_commit_make(&made, r, p, &tree, &head, 1, "bench\n"));
	SG_TRY(sg_packer_commit(p));
	SG_TRY(sg_ref_set(r, "refs/heads/main", &made, &head, "bench"));
	sg_packer_free(p);
	sg_tree_free(t);
	sg_buf_release(&list);
	return 0;
}

static int to_file(void *arg, const void *data, size_t n)
{
	return sg_fd_write(*(int *)arg, data, n, "out");
}

static int get(struct sg_registry *r, const char *out)
{
	struct sg_oid head;
	struct sg_buf list = { 0 };
	int i = 0;

	SG_TRY(sg_rev_parse(&head, r, "HEAD"));
	SG_TRY(sg_tree_read(&list, r, &head, "bench/list", 1 << 20));
	for (char *line = strtok(list.data, "\n"); line; line = strtok(NULL, "\n"), i++) {
		char sum[SG_SHA256_HEX], folder[64], *path = sg_asprintf("%s/%d", out, i);
		unsigned long long n;
		int fd = path ? open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666) : -1;

		if (fd < 0 || sscanf(line, "%llu %64s", &n, sum) != 2)
			return sg_fail(SG_E_IO, "cannot write '%s'", path);
		snprintf(folder, sizeof(folder), "bench/%d", i);
		SG_TRY(sg_payload_read_to(to_file, &fd, (size_t)n, r, &head, folder, sum));
		close(fd);
		free(path);
	}
	sg_buf_release(&list);
	return 0;
}

int main(int argc, char **argv)
{
	struct sg_registry *r = NULL;
	int rc = argc > 4 || (argc > 3 && !strcmp(argv[1], "get")) ? sg_registry_open(&r, argv[2]) :
							      sg_fail(SG_E_USAGE, "store put FOLDER WIDTH FILE... | get FOLDER OUT");

	if (rc >= 0)
		rc = !strcmp(argv[1], "put") ? put(r, (unsigned)atoi(argv[3]), argv + 4, argc - 4) : get(r, argv[3]);
	sg_registry_free(r);
	if (rc < 0)
		fprintf(stderr, "store: %s\n", sg_error_message());
	return rc < 0;
}
