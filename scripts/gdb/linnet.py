"""gdb commands for Linnet, loaded by `./linnet debug`:

  linnet-cpus       what each CPU runs
  linnet-threads    every thread: state, CPU, name, where it waits
  linnet-procs      every process: pid, parent, state, threads, name
  linnet-bt [NAME]  backtraces of all threads, or of those with that name
  linnet-locks      locks that threads hold (DEBUG=1 kernels record them)
  linnet-slab NAME  who allocated the objects of a cache (DEBUG=1 kernels record it)

Backtraces of threads that do not run follow the frame pointers from the saved stack pointer, as
the kernel's own backtraces do.
"""
import gdb

STATES = {}


def offset_of(type_name, field):
    for f in gdb.lookup_type(type_name).fields():
        if f.name == field:
            return f.bitpos // 8
    raise gdb.GdbError(f"{type_name} has no field {field}")


def entries(head, type_name, field):
    """The objects on a list, given its head (a struct list)."""
    back = offset_of(type_name, field)
    kind = gdb.lookup_type(type_name).pointer()
    node, end = head["next"], int(head.address)
    for _ in range(100000):
        if int(node) == end or int(node) == 0:
            return
        yield gdb.Value(int(node) - back).cast(kind)
        node = node.dereference()["next"]


def static(name):
    """A variable; file-static ones are found in their file."""
    symbol = gdb.lookup_static_symbol(name) or gdb.lookup_global_symbol(name)
    if symbol is None:
        raise gdb.GdbError(f"no variable {name}")
    return symbol.value()


def threads():
    """All threads: the list's, then those that began with their CPU (boot and idle)."""
    seen = set()
    for t in entries(static("all_threads"), "struct thread", "all"):
        seen.add(int(t))
        yield t
    for cpu in range(int(gdb.parse_and_eval("cpu_count"))):
        rq = per_cpu("sched_runq", cpu)
        for t in (rq["curr"], rq["idle"]):
            if int(t) and int(t) not in seen:
                seen.add(int(t))
                yield t


def state_name(thread):
    value = int(thread["state"])
    if not STATES:
        for f in gdb.lookup_type("enum thread_state").fields():
            STATES[f.enumval] = f.name.replace("TS_", "").lower()
    return STATES.get(value, str(value))


def symbol_at(addr):
    text = gdb.execute(f"info symbol {addr:#x}", to_string=True).strip()
    return text.split(" in section")[0] if "in section" in text else f"{addr:#x}"


def source_at(addr):
    sal = gdb.find_pc_line(addr)
    return f"{sal.symtab.filename}:{sal.line}" if sal.symtab else ""


def per_cpu(name, cpu):
    var = gdb.parse_and_eval(f"&{name}")
    offset = int(gdb.parse_and_eval(f"percpu_offset[{cpu}]"))
    return gdb.Value((int(var) + offset) % (1 << 64)).cast(var.type).dereference()


def running():
    """Address of a thread -> the CPU it runs on now."""
    cpus = int(gdb.parse_and_eval("cpu_count"))
    return {int(per_cpu("sched_runq", c)["curr"]): c for c in range(cpus)}


def frames(thread):
    """Return addresses of a thread that is switched out, innermost first."""
    memory = gdb.selected_inferior()

    def word(addr):
        return int.from_bytes(memory.read_memory(addr, 8), "little")

    fp = int(thread["arch"]["sp"])  # switch.S stores x29 and x30 first
    low, high = int(thread["stack"]), int(thread["stack"]) + (1 << 16)
    for _ in range(40):
        if not low <= fp < high or fp % 8:
            return
        pc = word(fp + 8)
        if pc == 0:
            return
        yield pc
        fp = word(fp)


class Cpus(gdb.Command):
    """What each CPU runs."""

    def __init__(self):
        super().__init__("linnet-cpus", gdb.COMMAND_STATUS)

    def invoke(self, argument, from_tty):
        for cpu in range(int(gdb.parse_and_eval("cpu_count"))):
            rq = per_cpu("sched_runq", cpu)
            curr = rq["curr"]
            name = curr["name"].string() if int(curr) else "(offline)"
            print(f"CPU {cpu}: {name:16} runnable {int(rq['nr'])}, switches {int(rq['switches'])}")


class Threads(gdb.Command):
    """Every thread: address, state, CPU, name and where it waits."""

    def __init__(self):
        super().__init__("linnet-threads", gdb.COMMAND_STATUS)

    def invoke(self, argument, from_tty):
        on = running()
        for t in threads():
            cpu = on.get(int(t))
            where = "" if cpu is not None else ", ".join(symbol_at(pc) for pc in list(frames(t))[:4])
            state = f"on CPU {cpu}" if cpu is not None else state_name(t)
            print(f"{int(t):#x} {state:10} {t['name'].string():16} {where}")


class Procs(gdb.Command):
    """Every process with its parent, state and number of threads."""

    def __init__(self):
        super().__init__("linnet-procs", gdb.COMMAND_STATUS)

    def invoke(self, argument, from_tty):
        seen = set()
        print(f"{'PID':>6} {'PPID':>6} THREADS STATE NAME")
        for t in threads():
            proc = t["proc"]
            if int(proc) and int(proc) not in seen:
                seen.add(int(proc))
                print(f"{int(proc['pid']['nr']):6} {int(proc['ppid']):6} {int(proc['ntasks']):7} "
                      f"{int(proc['state']):5} {t['name'].string()}")


class Backtraces(gdb.Command):
    """Backtraces of all threads, or of those with the name given."""

    def __init__(self):
        super().__init__("linnet-bt", gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        on = running()
        for t in threads():
            name = t["name"].string()
            if argument and argument != name:
                continue
            print(f"\n{name} ({int(t):#x}), {state_name(t)}")
            if int(t) in on:
                selected = gdb.selected_thread()
                for inferior_thread in gdb.selected_inferior().threads():
                    if inferior_thread.num == on[int(t)] + 1:
                        inferior_thread.switch()
                        gdb.execute("backtrace 20")
                selected.switch()
                continue
            for i, pc in enumerate(frames(t)):
                print(f"#{i:<2} {pc:#x} {symbol_at(pc)} {source_at(pc)}")


class Locks(gdb.Command):
    """Locks that threads hold; DEBUG=1 kernels record them."""

    def __init__(self):
        super().__init__("linnet-locks", gdb.COMMAND_STATUS)

    def invoke(self, argument, from_tty):
        fields = [f.name for f in gdb.lookup_type("struct arch_thread").fields()]
        if "nheld" not in fields:
            raise gdb.GdbError("this kernel does not record who holds what: build it with DEBUG=1")
        for t in threads():
            for i in range(int(t["arch"]["nheld"])):
                held = t["arch"]["held"][i]
                print(f"{t['name'].string():16} {int(held['lock']):#x} {held['lock']['rank']} "
                      f"taken at {symbol_at(int(held['where']))} {source_at(int(held['where']))}")


class Slab(gdb.Command):
    """Who allocated the objects of a cache, and how many; DEBUG=1 kernels record it."""

    ALLOCATED = 0x616C6C6F63617465  # state of struct slab_debug_head

    def __init__(self):
        super().__init__("linnet-slab", gdb.COMMAND_DATA)

    def slabs(self, cache):
        """The slabs of a cache, found by their frames: full ones are on no list."""
        pages, size = gdb.parse_and_eval("pmm_pages"), gdb.lookup_type("struct page").sizeof
        count = int(gdb.parse_and_eval("pmm_end_pfn")) - int(gdb.parse_and_eval("pmm_base_pfn"))
        blob = bytes(gdb.selected_inferior().read_memory(int(pages), count * size))
        slab, owner = 8, offset_of("struct page", "owner")  # .slab is in an anonymous struct
        kind, kind_at = int(gdb.parse_and_eval("PAGE_SLAB")), offset_of("struct page", "type")
        return {int.from_bytes(blob[at + slab:at + slab + 8], "little")
                for at in range(0, len(blob), size)
                if blob[at + kind_at] == kind and int.from_bytes(blob[at + owner:at + owner + 8], "little") == cache}

    def invoke(self, argument, from_tty):
        caches = gdb.parse_and_eval("slab_caches")
        for i in range(int(gdb.parse_and_eval("slab_cache_count"))):
            if caches[i]["name"].string() == argument:
                break
        else:
            raise gdb.GdbError("usage: linnet-slab NAME, as in /proc/slabinfo")
        callers, cell = {}, int(caches[i]["cell"])
        for at in self.slabs(int(caches[i].address)):
            slab = gdb.Value(at).cast(gdb.lookup_type("struct kmem_slab").pointer())
            for n in range(int(slab["fresh"])):
                head = bytes(gdb.selected_inferior().read_memory(int(slab["base"]) + n * cell, 32))
                words = [int.from_bytes(head[w:w + 8], "little") for w in range(0, 32, 8)]
                if words[1] == self.ALLOCATED:
                    key = words[2], words[3]
                    callers[key] = callers.get(key, 0) + 1
        for (who, size), count in sorted(callers.items(), key=lambda c: -c[1]):
            print(f"{count:6} of {size:5} bytes  {symbol_at(who)} {source_at(who)}")


for command in (Cpus, Threads, Procs, Backtraces, Locks, Slab):
    command()
