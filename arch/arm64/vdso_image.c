/*
 * What the kernel knows about the vDSO image: it is an ELF shared object in whole pages between
 * vdso_start and vdso_end, mapped as it is, with the data page (kernel/base/vdso_data.h) directly
 * below it.
 */
#include <linux/elf.h>
#include <arch/signal.h>

/* Where __kernel_rt_sigreturn lies in the image: vdso.ld makes it the ELF entry point. ctx: any. */
u64 vdso_sigreturn_offset(void)
{
	return ((const Elf64_Ehdr *)vdso_start)->e_entry;
}
