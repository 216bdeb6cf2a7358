#pragma once
/*
 * Circular doubly linked list with the node inside the object. A list head is a node that belongs
 * to no object. The caller's lock guards it.
 */
#include "kernel/lib/types.h"

struct list {
	struct list *next;
	struct list *prev;
};

#define LIST_INIT(name)          \
	{                        \
		&(name), &(name) \
	}

static inline void list_init(struct list *l)
{
	l->next = l;
	l->prev = l;
}

static inline bool list_empty(const struct list *l)
{
	return l->next == l;
}

static inline void list_insert_between(struct list *n, struct list *prev, struct list *next)
{
	next->prev = n;
	n->next = next;
	n->prev = prev;
	prev->next = n;
}

/* First of @head. */
static inline void list_add(struct list *head, struct list *n)
{
	list_insert_between(n, head, head->next);
}

/* Last of @head; also "before @head" when that is an object's node. */
static inline void list_add_tail(struct list *head, struct list *n)
{
	list_insert_between(n, head->prev, head);
}

/* Takes @n out and leaves it an empty list, so that list_empty(&obj->node) says "on no list". */
static inline void list_del(struct list *n)
{
	n->prev->next = n->next;
	n->next->prev = n->prev;
	list_init(n);
}

/* Moves all nodes of @from to the tail of @to; @from is then empty. */
static inline void list_splice_tail(struct list *to, struct list *from)
{
	if (list_empty(from))
		return;
	from->next->prev = to->prev;
	to->prev->next = from->next;
	from->prev->next = to;
	to->prev = from->prev;
	list_init(from);
}

#define list_entry(p, type, member) container_of(p, type, member)
#define list_first(head, type, member) list_entry((head)->next, type, member)
#define list_last(head, type, member) list_entry((head)->prev, type, member)

/*
 * The node in @pos by arithmetic: behind the last object @pos is the head seen as one, which it is
 * not, nor aligned as one.
 */
#define list_node_of(pos, member) \
	((struct list *)((char *)(pos) + offsetof(__typeof__(*(pos)), member)))
#define list_next_of(pos, member) list_first(list_node_of(pos, member), __typeof__(*(pos)), member)

#define list_for_each(pos, head, member)                       \
	for (pos = list_first(head, __typeof__(*pos), member); \
	     list_node_of(pos, member) != (head); pos = list_next_of(pos, member))

/* As list_for_each; @pos may be taken out and freed in the body. */
#define list_for_each_safe(pos, tmp, head, member)                                              \
	for (pos = list_first(head, __typeof__(*pos), member), tmp = list_next_of(pos, member); \
	     list_node_of(pos, member) != (head); pos = tmp, tmp = list_next_of(pos, member))
