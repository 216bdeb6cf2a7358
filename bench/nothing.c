/* The small program that the fork-exec-wait row runs. */
int main(void)
{
	return 0;
}
