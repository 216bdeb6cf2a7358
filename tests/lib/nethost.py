#!/usr/bin/env python3
"""The other end of a guest's network card, as one program: nethost.py FOLDER [OPTION...]

Frames come and go by Unix datagram sockets in FOLDER (QEMU's -netdev dgram: host.sock is ours,
guest.sock QEMU's), so that neither rights nor ports are needed. It is the machine 10.9.0.1: it answers
ARP, gives leases of 10.9.0.5 and up (DHCP), answers for *.test (DNS; each answer comes after one with a
wrong number), knows a time (NTP; after one that answers nobody), and keeps what comes to port 6666. What
it did is printed, a line each; the first is "ready".

  nak        the first request for a lease is refused
  conflict   somebody else has 10.9.0.5
  short      leases are for 4 s
"""
import os
import socket
import struct
import sys

FOLDER, OPTIONS = sys.argv[1], set(sys.argv[2:])
MAC, OTHER_MAC = b"\x02\0\0\0\0\1", b"\x02\0\0\0\0\2"
ME = bytes((10, 9, 0, 1))
TAKEN = bytes((10, 9, 0, 5)) if "conflict" in OPTIONS else None
NTP_TIME = 4102444800 + 2208988800  # 2100-01-01
sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
sock.bind(FOLDER + "/host.sock")
sys.stdout.reconfigure(line_buffering=True)
print("ready")
declined, naks = set(), 1 if "nak" in OPTIONS else 0


def send(frame):
    try:
        sock.sendto(frame.ljust(60, b"\0"), FOLDER + "/guest.sock")
    except OSError:
        pass  # the guest is not there yet, or not any more


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def send_udp(mac, src, dst, sport, dport, data):
    udp = struct.pack(">HHHH", sport, dport, 8 + len(data), 0) + data
    ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0, src, dst)
    ip = ip[:10] + struct.pack(">H", checksum(ip)) + ip[12:]
    send(mac + MAC + b"\x08\0" + ip + udp)


def arp(frame):
    op, sha, spa, tpa = frame[21], frame[22:28], frame[28:32], frame[38:42]
    mac = MAC if tpa == ME else OTHER_MAC if tpa == TAKEN else None
    if op == 1 and mac:
        send(sha + mac + b"\x08\x06" + frame[14:20] + b"\0\2" + mac + tpa + sha + spa)


def dhcp(mac, data):
    global naks
    options, at = {}, 240
    while at < len(data) and data[at] != 255:
        options[data[at]] = data[at + 2:at + 2 + data[at + 1]]
        at += 2 + data[at + 1]
    kind = options.get(53, b"\0")[0]
    print(f"dhcp {kind}")
    free = next(bytes((10, 9, 0, n)) for n in range(5, 200) if bytes((10, 9, 0, n)) not in declined)
    if kind == 4:
        declined.add(options[50])
        return
    held = data[12:16]
    wanted = held if any(held) else options.get(50, free)
    answer = {1: 2, 3: 5}.get(kind)
    if not answer:
        return
    if kind == 3 and (naks or wanted in declined):
        naks, answer, wanted = 0, 6, bytes(4)
    if kind == 1:
        wanted = free
    time = 4 if "short" in OPTIONS else 3600
    reply = b"\2\1\6\0" + data[4:8] + bytes(8) + wanted + ME + bytes(4) + data[28:44] + bytes(192)
    reply += b"\x63\x82\x53\x63\x35\1" + bytes([answer]) + b"\x36\4" + ME
    if answer != 6:
        reply += b"\1\4\xff\xff\xff\0\3\4" + ME + b"\6\4" + ME + b"\x33\4" + struct.pack(">I", time)
        reply += b"\x0f\4test\x2a\4" + ME
    direct = any(held)
    send_udp(mac if direct else b"\xff" * 6, ME, held if direct else b"\xff" * 4, 67, 68, reply + b"\xff")


def dns(mac, peer, port, data):
    labels, at = [], 12
    while data[at]:
        labels.append(data[at + 1:at + 1 + data[at]].decode())
        at += 1 + data[at]
    name, question = ".".join(labels), data[12:at + 5]
    print(f"dns {name}")
    # Times to live are a day: a host that stands still for a while must not make the guest forget.
    soa = b"\0\0\6\0\1\0\1\x51\x80\0\x16\0\0" + bytes(16) + b"\0\1\x51\x80"
    answers, code = soa, 3
    if name == "alias.test":
        answers, code = b"\xc0\x0c\0\5\0\1\0\1\x51\x80\0\6\3one\xc0" + bytes([12 + 6]), 0
    elif name == "one.test":
        answers, code = b"\xc0\x0c\0\1\0\1\0\1\x51\x80\0\4\x0a\x09\0\x01", 0
    head = struct.pack(">HHHHH", 0x8180 | code, 1, 0 if code else 1, 1 if code else 0, 0)
    wrong = bytes([data[0] ^ 1, data[1]])
    for number in (wrong, data[:2]):
        send_udp(mac, ME, peer, 53, port, number + head + question + answers)


def ntp(mac, peer, port, data):
    print("ntp")
    now = struct.pack(">II", NTP_TIME % 2**32, 0)
    for nonce in (bytes(8), data[40:48]):
        send_udp(mac, ME, peer, 123, port, b"\x24\2\6\xec" + bytes(12) + now + nonce + now + now)


def ipv4(frame):
    ip = frame[14:]
    if ip[9] == 1 and ip[16:20] == ME and ip[20] == 8:
        n = struct.unpack(">H", ip[2:4])[0]
        echo = b"\0\0\0\0" + ip[24:n]
        echo = echo[:2] + struct.pack(">H", checksum(echo)) + echo[4:]
        send(frame[6:12] + MAC + frame[12:14] + ip[:12] + ip[16:20] + ip[12:16] + echo)
    if ip[9] != 17:
        return
    sport, dport, length = struct.unpack(">HHH", ip[20:26])
    mac, peer, data = frame[6:12], ip[12:16], ip[28:20 + length]
    if dport == 67:
        dhcp(mac, data)
    elif dport == 53:
        dns(mac, peer, sport, data)
    elif dport == 123:
        ntp(mac, peer, sport, data)
    elif dport == 6666:
        print("console " + data.decode(errors="replace").rstrip("\n"))


while True:
    packet = sock.recv(65536)
    if packet[12:14] == b"\x08\x06":
        arp(packet)
    elif packet[12:14] == b"\x08\0":
        ipv4(packet)
