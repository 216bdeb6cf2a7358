# Compilers, ciphers, compressors, terminals inside terminals: programs that use many threads, pipes,
# sockets and ptys.
. /tests/lib.sh

like "openssl speed" "sha256 " 'openssl speed -seconds 1 -bytes 1024 sha256'
is "openssl: a key made and checked" "RSA key ok" 'openssl genrsa -out k 1024 2> /dev/null; openssl rsa -in k -check -noout'
is "openssl: there and back" "secret" 'echo secret > f; openssl enc -aes-256-cbc -pbkdf2 -k x -in f -out g && openssl enc -d -aes-256-cbc -pbkdf2 -k x -in g'
for c in "xz -1 -T2" "zstd -q -T2" "gzip" "bzip2"; do
	is "$c" "same" "seq 200000 > f; $c -c f > g && ${c%% *} -dc g | cmp - f && echo same"
done
is "rsync of a tree" "f h l same" 'mkdir -p a/d; seq 100 > a/f; ln a/f a/h; ln -s f a/l; mkfifo a/d/p; rsync -aH a/ b && diff <(cd a; ls -lR | cut -c1-40) <(cd b; ls -lR | cut -c1-40) && echo $(cd b; ls -p | grep -v /) same'
is "rsync deletes and updates" $'*deleting   x\n>f.st...... f' 'mkdir a b; echo 1 > a/f; echo 22 > b/f; touch b/x; touch -d yesterday b/f; rsync -ai --delete a/ b | grep -v "^\\.d"'
is "tcc compiles and runs" "hello 42" 'printf "#include <stdio.h>\nint main(void) { printf(\"hello %%d\\\\n\", 42); return 0; }\n" > t.c; tcc -o t t.c && ./t'
is "tcc: make of three files" "7" 'echo "int a(void) { return 3; }" > a.c; echo "int b(void) { return 4; }" > b.c; printf "int a(void), b(void);\n#include <stdio.h>\nint main(void) { printf(\"%%d\", a() + b()); }\n" > m.c; printf "t: a.o b.o m.o\n\ttcc -o \$@ \$^\n%%.o: %%.c\n\ttcc -c -o \$@ \$<\n" > Makefile; make -s -j3 && ./t'
is "tcc: a program with threads" "4000" 'printf "#include <pthread.h>\n#include <stdio.h>\npthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER;\nint n;\nvoid *f(void *x) { for (int i = 0; i < 1000; i++) { pthread_mutex_lock(&m); n++; pthread_mutex_unlock(&m); } return 0; }\nint main(void) { pthread_t t[4]; for (int i = 0; i < 4; i++) pthread_create(t + i, 0, f, 0); for (int i = 0; i < 4; i++) pthread_join(t[i], 0); printf(\"%%d\", n); }\n" > t.c; tcc -o t t.c -lpthread && ./t'
is "tmux shows what a program says" "hello hello" 'tmux -S ./s -f /dev/null new-session -d -x 80 -y 24 cat; tmux -S ./s send-keys hello Enter; until [ "$(tmux -S ./s capture-pane -p | grep -c hello)" = 2 ]; do sleep .1; done; tmux -S ./s capture-pane -p | xargs; tmux -S ./s kill-server'
is "screen runs a program on a terminal" "/dev/pts" 'export SCREENDIR=$PWD/s; mkdir -m 700 s; screen -dmS it bash -c "tty > f; exec sleep 60"; until [ -s f ]; do sleep .1; done; cut -c1-8 f; screen -S it -X quit > /dev/null'
is "socat: two ends of a socket" "through" 'socat UNIX-LISTEN:s,fork EXEC:cat & until [ -S s ]; do sleep .05; done; echo through | socat -t 30 - UNIX-CONNECT:s; kill $!'
is "socat: a terminal" "ok" 'socat PTY,link=p,raw,echo=0 EXEC:cat & until [ -e p ]; do sleep .05; done; exec 5<> p; echo ok >&5; read -r x <&5; echo $x; kill $!'
is "lsof of sockets of the Unix family" "1" 'socat UNIX-LISTEN:s - < /dev/null & until [ -S s ]; do sleep .05; done; lsof -a -U -p $! 2> /dev/null | grep -c "s type=STREAM"; kill $!'
is "find, sort and md5sum on two CPUs" "same" 'find /usr/bin -name "g*" -type f -print0 | sort -z | xargs -0 -P 2 -n 50 md5sum | sort > a; find /usr/bin -name "g*" -type f -print0 | sort -zr | xargs -0 md5sum | sort > b; cmp a b && echo same'
finish
