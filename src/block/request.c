/* Requests: which are taken, and parts of their data. */
#include "request.h"
#include <assert.h>
#include <errno.h>

int req_check(const struct block *blk, const struct block_req *req)
{
	if (req->op == BLOCK_FLUSH)
		return 0;
	if (blk->is_readonly && req->op != BLOCK_READ)
		return -EROFS;
	if (req->offset % SECTOR_SIZE || req->len % SECTOR_SIZE || req->offset > blk->size ||
	    req->len > blk->size - req->offset)
		return -EINVAL;
	if (req->op != BLOCK_READ && req->op != BLOCK_WRITE)
		return 0;

	assert(req->iov_count <= BLOCK_IOV_MAX);
	uint64_t sum = 0;
	for (unsigned i = 0; i < req->iov_count; i++)
		sum += req->iov[i].iov_len;
	assert(sum == req->len);
	return 0;
}

unsigned req_cursor_take(struct req_cursor *cur, uint64_t len, struct iovec *out)
{
	unsigned count = 0;
	while (len) {
		size_t n = cur->iov->iov_len - cur->skip;
		if (n > len)
			n = len;
		if (n)
			out[count++] = (struct iovec){
				.iov_base = (char *)cur->iov->iov_base + cur->skip, .iov_len = n};
		cur->skip += n;
		len -= n;
		if (cur->skip == cur->iov->iov_len) {
			cur->iov++;
			cur->skip = 0;
		}
	}
	return count;
}
