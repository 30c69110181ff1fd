/* tests/support/onnx_reader.h: reads what ONNX's published test vectors need: a tensor, and a
 * model of one node. Every byte may be hostile: what is not well-formed is refused, and memory
 * is bounded by the file. */
#ifndef GT_TEST_ONNX_READER_H
#define GT_TEST_ONNX_READER_H

#include "gradtape.h"

enum { ONNX_FLOAT = 1, ONNX_INT64 = 7, ONNX_DOUBLE = 11 }; /* kinds that are read */

typedef struct onnx_tensor {
    int kind;
    gt_shape shape;
    int64_t count;
    double *values; /* malloc */
} onnx_tensor;

typedef struct onnx_attribute {
    char name[32], text[32];
    double real;
    int64_t integer;
} onnx_attribute;

typedef struct onnx_node {
    char op[32];
    int n_in, n_out, n_attributes;
    onnx_attribute attribute[16];
} onnx_node;

/* False: malformed, of another kind than those above, or (read) no such file. */
bool onnx_tensor_parse(const uint8_t *bytes, size_t size, onnx_tensor *tensor);
bool onnx_tensor_read(const char *path, onnx_tensor *tensor);
void onnx_tensor_free(onnx_tensor *tensor);
/* The only node of a model's graph. */
bool onnx_model_parse(const uint8_t *bytes, size_t size, onnx_node *node);
bool onnx_model_read(const char *path, onnx_node *node);
/* A real attribute of the node; otherwise when it has none of that name. */
double onnx_real(const onnx_node *node, const char *name, double otherwise);
/* A whole file in memory (malloc), NULL when it cannot be read. */
uint8_t *onnx_file(const char *path, size_t *size);

#endif
