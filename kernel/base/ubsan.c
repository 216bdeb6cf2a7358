/*
 * Undefined behaviour, reported: the functions that code compiled with -fsanitize=undefined calls
 * when one of its checks fails (debug builds).
 *
 * The compiler passes a static description of the place (file, line, column, types) and the values
 * at hand. Each handler makes one sentence of them, and the sentence ends in a panic, which adds
 * the backtrace; only a test that provokes it goes on (report.h). The layouts and names are those
 * that gcc and clang agree on: LLVM's compiler-rt, lib/ubsan/ubsan_handlers.h, is their
 * description. This file is compiled without the checks. Any context, no lock.
 */
#include "kernel/base/panic.h"
#include "kernel/base/report.h"
#include "kernel/lib/fmt.h"

struct ubsan_place {
	const char *file;
	u32 line;
	u32 column;
};

#define TYPE_INTEGER 0

struct ubsan_type {
	u16 kind;
	u16 info; /* integers: bit 0 signed, the others the logarithm of the width in bits */
	char name[]; /* in quotes already */
};

struct ubsan_typed { /* what most handlers get */
	struct ubsan_place place;
	const struct ubsan_type *type;
};

struct ubsan_two_types { /* shift: left and right; index: array and index */
	struct ubsan_place place;
	const struct ubsan_type *first, *second;
};

struct ubsan_mismatch {
	struct ubsan_place place;
	const struct ubsan_type *type;
	u8 log_alignment;
	u8 kind;
};

struct ubsan_numbered { /* nonnull_arg, invalid_builtin */
	struct ubsan_place place;
	struct ubsan_place attribute;
	int argument;
};

struct ubsan_builtin {
	struct ubsan_place place;
	u8 kind;
};

struct ubsan_assumption {
	struct ubsan_place place;
	struct ubsan_place assumption;
	const struct ubsan_type *type;
};

/* The entry points; the compiler calls them by name. A value of up to 64 bits comes as it is. */
void __ubsan_handle_add_overflow(struct ubsan_typed *d, u64 a, u64 b);
void __ubsan_handle_sub_overflow(struct ubsan_typed *d, u64 a, u64 b);
void __ubsan_handle_mul_overflow(struct ubsan_typed *d, u64 a, u64 b);
void __ubsan_handle_negate_overflow(struct ubsan_typed *d, u64 a);
void __ubsan_handle_divrem_overflow(struct ubsan_typed *d, u64 a, u64 b);
void __ubsan_handle_shift_out_of_bounds(struct ubsan_two_types *d, u64 a, u64 b);
void __ubsan_handle_out_of_bounds(struct ubsan_two_types *d, u64 index);
void __ubsan_handle_type_mismatch_v1(struct ubsan_mismatch *d, u64 ptr);
void __ubsan_handle_pointer_overflow(struct ubsan_place *d, u64 base, u64 result);
void __ubsan_handle_load_invalid_value(struct ubsan_typed *d, u64 v);
void __ubsan_handle_builtin_unreachable(struct ubsan_place *d);
void __ubsan_handle_missing_return(struct ubsan_place *d);
void __ubsan_handle_vla_bound_not_positive(struct ubsan_typed *d, u64 bound);
void __ubsan_handle_nonnull_arg(struct ubsan_numbered *d);
void __ubsan_handle_nonnull_return_v1(struct ubsan_place *attribute, struct ubsan_place *d);
void __ubsan_handle_nullability_arg(struct ubsan_numbered *d);
void __ubsan_handle_nullability_return_v1(struct ubsan_place *attribute, struct ubsan_place *d);
void __ubsan_handle_invalid_builtin(struct ubsan_builtin *d);
void __ubsan_handle_alignment_assumption(struct ubsan_assumption *d, u64 ptr, u64 align, u64 off);
void __ubsan_handle_function_type_mismatch(struct ubsan_typed *d, u64 fn);

#define VALUE_MAX 24

static void __printf(2, 3) found(const struct ubsan_place *place, const char *fmt, ...)
{
	char text[200];
	va_list ap;
	int n;

	n = snprintf(text, sizeof(text), "ubsan: %s:%u:%u: ", place->file ? place->file : "?",
		     place->line, place->column);
	va_start(ap, fmt);
	if (n < (int)sizeof(text))
		vsnprintf(text + n, sizeof(text) - (size_t)n, fmt, ap);
	va_end(ap);
	if (!report_is_expected(text))
		panic("%s", text);
}

static u32 type_bits(const struct ubsan_type *t)
{
	return 1u << (t->info >> 1);
}

static bool type_signed(const struct ubsan_type *t)
{
	return t->info & 1;
}

/* @v of an integer type with up to 64 bits, extended to 64. */
static u64 value_extend(const struct ubsan_type *t, u64 v)
{
	u32 unused = type_bits(t) < 64 ? 64 - type_bits(t) : 0;

	return type_signed(t) ? (u64)((s64)(v << unused) >> unused) : v << unused >> unused;
}

/* In @out as decimal; wider types are passed by address and not worth taking apart. */
static const char *value_text(const struct ubsan_type *t, u64 v, char out[VALUE_MAX])
{
	if (t->kind != TYPE_INTEGER || type_bits(t) > 64)
		snprintf(out, VALUE_MAX, "(wide)");
	else if (type_signed(t))
		snprintf(out, VALUE_MAX, "%lld", (long long)value_extend(t, v));
	else
		snprintf(out, VALUE_MAX, "%llu", (unsigned long long)value_extend(t, v));
	return out;
}

static bool value_negative(const struct ubsan_type *t, u64 v)
{
	return type_signed(t) && type_bits(t) <= 64 && (s64)value_extend(t, v) < 0;
}

static void overflow(const struct ubsan_typed *d, u64 a, const char *op, u64 b)
{
	char l[VALUE_MAX], r[VALUE_MAX];

	found(&d->place, "overflow: %s %s %s does not fit %s", value_text(d->type, a, l), op,
	      value_text(d->type, b, r), d->type->name);
}

void __ubsan_handle_add_overflow(struct ubsan_typed *d, u64 a, u64 b)
{
	overflow(d, a, "+", b);
}

void __ubsan_handle_sub_overflow(struct ubsan_typed *d, u64 a, u64 b)
{
	overflow(d, a, "-", b);
}

void __ubsan_handle_mul_overflow(struct ubsan_typed *d, u64 a, u64 b)
{
	overflow(d, a, "*", b);
}

void __ubsan_handle_negate_overflow(struct ubsan_typed *d, u64 a)
{
	char v[VALUE_MAX];

	found(&d->place, "overflow: -(%s) does not fit %s", value_text(d->type, a, v),
	      d->type->name);
}

void __ubsan_handle_divrem_overflow(struct ubsan_typed *d, u64 a, u64 b)
{
	char l[VALUE_MAX];

	if (type_bits(d->type) <= 64 && value_extend(d->type, b) == 0)
		found(&d->place, "division of %s by zero", value_text(d->type, a, l));
	else
		found(&d->place, "overflow: %s / -1 does not fit %s", value_text(d->type, a, l),
		      d->type->name);
}

void __ubsan_handle_shift_out_of_bounds(struct ubsan_two_types *d, u64 a, u64 b)
{
	char l[VALUE_MAX], r[VALUE_MAX];

	value_text(d->first, a, l);
	value_text(d->second, b, r);
	if (value_negative(d->second, b))
		found(&d->place, "shift by %s, which is negative", r);
	else if (value_extend(d->second, b) >= type_bits(d->first))
		found(&d->place, "shift by %s of %s, which has %u bits", r, d->first->name,
		      type_bits(d->first));
	else if (value_negative(d->first, a))
		found(&d->place, "left shift of %s, which is negative", l);
	else
		found(&d->place, "left shift of %s by %s does not fit %s", l, r, d->first->name);
}

void __ubsan_handle_out_of_bounds(struct ubsan_two_types *d, u64 index)
{
	char v[VALUE_MAX];

	found(&d->place, "index %s is out of range for %s", value_text(d->second, index, v),
	      d->first->name);
}

void __ubsan_handle_type_mismatch_v1(struct ubsan_mismatch *d, u64 ptr)
{
	static const char *const kinds[] = {
		"load of",	  "store to",	       "reference to", "member access within",
		"member call on", "construction of",   "downcast of",  "downcast of",
		"upcast of",	  "virtual upcast of", "null as",      "dynamic use of",
	};
	const char *kind = d->kind < ARRAY_SIZE(kinds) ? kinds[d->kind] : "use of";
	u64 alignment = 1ull << d->log_alignment;

	if (!ptr)
		found(&d->place, "%s null pointer of type %s", kind, d->type->name);
	else if (ptr & (alignment - 1))
		found(&d->place, "%s misaligned address %#llx of type %s, which wants %llu bytes",
		      kind, (unsigned long long)ptr, d->type->name, (unsigned long long)alignment);
	else
		found(&d->place, "%s address %#llx without room for an object of type %s", kind,
		      (unsigned long long)ptr, d->type->name);
}

void __ubsan_handle_pointer_overflow(struct ubsan_place *d, u64 base, u64 result)
{
	found(d, "pointer arithmetic: %#llx became %#llx", (unsigned long long)base,
	      (unsigned long long)result);
}

void __ubsan_handle_load_invalid_value(struct ubsan_typed *d, u64 v)
{
	char text[VALUE_MAX];

	found(&d->place, "load of value %s, which is none of type %s", value_text(d->type, v, text),
	      d->type->name);
}

void __ubsan_handle_builtin_unreachable(struct ubsan_place *d)
{
	found(d, "unreachable code was reached");
}

void __ubsan_handle_missing_return(struct ubsan_place *d)
{
	found(d, "the function ended without a value");
}

void __ubsan_handle_vla_bound_not_positive(struct ubsan_typed *d, u64 bound)
{
	char v[VALUE_MAX];

	found(&d->place, "array of variable length %s", value_text(d->type, bound, v));
}

void __ubsan_handle_nonnull_arg(struct ubsan_numbered *d)
{
	found(&d->place, "argument %d is null, which its function does not take", d->argument);
}

void __ubsan_handle_nonnull_return_v1(struct ubsan_place *attribute, struct ubsan_place *d)
{
	found(d, "null returned by a function that never returns it");
}

void __ubsan_handle_nullability_arg(struct ubsan_numbered *d)
{
	__ubsan_handle_nonnull_arg(d);
}

void __ubsan_handle_nullability_return_v1(struct ubsan_place *attribute, struct ubsan_place *d)
{
	__ubsan_handle_nonnull_return_v1(attribute, d);
}

void __ubsan_handle_invalid_builtin(struct ubsan_builtin *d)
{
	found(&d->place, "%s of zero", d->kind == 0 ? "ctz" : "clz");
}

void __ubsan_handle_alignment_assumption(struct ubsan_assumption *d, u64 ptr, u64 align, u64 off)
{
	found(&d->place, "address %#llx was assumed to be a multiple of %llu, plus %llu",
	      (unsigned long long)ptr, (unsigned long long)align, (unsigned long long)off);
}

void __ubsan_handle_function_type_mismatch(struct ubsan_typed *d, u64 fn)
{
	found(&d->place, "call of %#llx by the wrong type %s", (unsigned long long)fn,
	      d->type->name);
}
