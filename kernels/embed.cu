/* Rows of a table, positions, and the gradient of a table. */
#include "base/quant.h"
#include "kernels/cuda.cuh"

/* Element i of packed data that is not quantised. */
__device__ static inline float element(const void *data, enum sg_dtype t, size_t i)
{
	if (t == SG_F32)
		return ((const float *)data)[i];
	if (t == SG_BF16)
		return sg_f32_from_bf16(((const uint16_t *)data)[i]);
	return sg_f32_from_f16(((const uint16_t *)data)[i]);
}

/* A thread widens a piece of 32 elements of one row, or one element: `piece` says which. */
__device__ static inline void widen_piece(float *out, const void *data, enum sg_dtype t, size_t from, size_t piece)
{
	if (piece == 1)
		*out = element(data, t, from);
	else
		sg_quant_granule(out, data, t, from / SG_GRANULE);
}

static size_t piece_of(enum sg_dtype t)
{
	return sg_dtype_quantised(t) ? SG_GRANULE : 1;
}

int sg_cuda_check_mat(const struct sg_mat *w, size_t cols, const char *what)
{
	if (!sg_dtype_weight(w->dtype) || cols % sg_dtypes[w->dtype].block)
		return sg_fail(SG_E_UNSUPPORTED, "no %s with rows of %zu as %s", what, cols, sg_dtypes[w->dtype].name);
	if (w->turned || w->pair || w->group || (w->ld && w->ld != cols))
		return sg_fail(SG_E_UNSUPPORTED, "cuda: no %s with a matrix that is not packed", what);
	return 0;
}

__global__ static void widen(float *out, const void *data, enum sg_dtype t, size_t from, size_t n, size_t piece)
{
	for (SG_EACH(i, n / piece))
		widen_piece(out + i * piece, data, t, from + i * piece, piece);
}

int sg_cuda_widen(struct sg_device *d, float *out, const struct sg_mat *w, size_t from, size_t n)
{
	size_t piece = piece_of(w->dtype);

	SG_RUN(sg_cuda(d), sg_blocks(n / piece), SG_THREADS, widen, out, w->data, w->dtype, from, n, piece);
	return 0;
}

/* rows 0: as many as anybody asks for */
__global__ static void rows_of(float *out, const void *data, enum sg_dtype t, size_t rows, const int32_t *ids, size_t N,
			       size_t D, size_t piece, struct sg_cuda_fault *fault)
{
	size_t each = D / piece;

	for (SG_EACH(i, N * each)) {
		size_t token = i / each, at = i % each * piece;
		int32_t id = ids[token];

		if (id < 0 || (rows && (size_t)id >= rows))
			sg_fault(fault, SG_BAD_ID, token, id, rows);
		else
			widen_piece(out + token * D + at, data, t, (size_t)id * D + at, piece);
	}
}

int sg_cuda_embed_fwd(struct sg_device *d, float *out, const struct sg_mat *w, const int32_t *ids, size_t N, size_t D)
{
	size_t piece = piece_of(w->dtype);

	SG_TRY(sg_cuda_check_mat(w, D, "embedding"));
	SG_RUN(sg_cuda(d), sg_blocks(N * (D / piece)), SG_THREADS, rows_of, out, w->data, w->dtype, w->rows, ids, N,
	       D, piece, sg_cuda(d)->fault);
	return 0;
}

__global__ static void positions(float *x, const void *data, enum sg_dtype t, size_t rows, const int32_t *begin,
				 size_t first, size_t N, size_t D, size_t piece, struct sg_cuda_fault *fault)
{
	size_t each = D / piece;

	for (SG_EACH(i, N * each)) {
		size_t token = i / each, at = i % each * piece;
		int64_t row = (int64_t)(first + token) - begin[token];
		float v[SG_GRANULE];

		if (begin[token] > (int64_t)token || row >= (int64_t)rows) {
			sg_fault(fault, SG_BAD_POSITION, token, begin[token], rows);
			continue;
		}
		widen_piece(v, data, t, (size_t)row * D + at, piece);
		for (size_t k = 0; k < piece; k++)
			x[token * D + at + k] = x[token * D + at + k] + v[k];
	}
}

int sg_cuda_pos_fwd(struct sg_device *d, float *x, const struct sg_mat *w, const int32_t *begin, size_t first, size_t N,
		    size_t D)
{
	size_t piece = piece_of(w->dtype);

	SG_TRY(sg_cuda_check_mat(w, D, "table of positions"));
	SG_RUN(sg_cuda(d), sg_blocks(N * (D / piece)), SG_THREADS, positions, x, w->data, w->dtype, w->rows, begin,
	       first, N, D, piece, sg_cuda(d)->fault);
	return 0;
}

/* The block of the first token with an id gathers all of that id, in token order. */
__global__ static void gather(float *dw, const float *dout, const int32_t *ids, size_t N, size_t D)
{
	size_t i = blockIdx.x;
	int32_t id = ids[i];

	for (size_t j = 0; j < i; j++)
		if (ids[j] == id)
			return;
	for (size_t k = threadIdx.x; k < D; k += blockDim.x) {
		float *p = dw + (size_t)id * D + k, s = *p;

		for (size_t j = i; j < N; j++)
			if (ids[j] == id)
				s = s + dout[j * D + k];
		*p = s;
	}
}

int sg_cuda_embed_bwd(struct sg_device *d, float *dw, const float *dout, const int32_t *ids, size_t N, size_t D)
{
	SG_RUN(sg_cuda(d), (unsigned)N, SG_THREADS, gather, dw, dout, ids, N, D);
	return 0;
}
