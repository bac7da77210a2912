"""A TCP relay that counts, and cuts once: relay.py PORT FOLDER.

Takes connections on a free port of 127.0.0.1, which it writes to FOLDER/port, and hands
them to PORT. FOLDER/up and FOLDER/down are the bytes each way since FOLDER/reset was made.
With a number in FOLDER/limit all connections are closed when that many went up."""
import os
import socket
import sys
import threading

to, folder = int(sys.argv[1]), sys.argv[2]
count = {"up": 0, "down": 0}
live = set()
lock = threading.Lock()


def put(name, text):
    with open(os.path.join(folder, name + ".new"), "w") as f:
        f.write(str(text))
    os.rename(os.path.join(folder, name + ".new"), os.path.join(folder, name))


def limit():
    try:
        with open(os.path.join(folder, "limit")) as f:
            return int(f.read() or 0)
    except OSError:
        return 0


def shut(s, how=socket.SHUT_RDWR):
    try:
        s.shutdown(how)
    except OSError:
        pass


def tell(way, n):
    """True: the line is to be cut."""
    with lock:
        if os.path.exists(os.path.join(folder, "reset")):
            os.unlink(os.path.join(folder, "reset"))
            count.update(up=0, down=0)
        count[way] += n
        put(way, count[way])
        if way != "up" or not limit() or count["up"] < limit():
            return False
        os.unlink(os.path.join(folder, "limit"))
        for s in list(live):
            shut(s)
        return True


def copy(way, src, dst):
    try:
        while data := src.recv(1 << 18):
            if tell(way, len(data)):
                break
            dst.sendall(data)
    except OSError:
        pass
    shut(dst, socket.SHUT_WR)
    live.discard(src)


server = socket.create_server(("127.0.0.1", 0))
put("port", server.getsockname()[1])
while True:
    near, _ = server.accept()
    try:
        far = socket.create_connection(("127.0.0.1", to))
    except OSError:
        near.close()
        continue
    live.update((near, far))
    for args in (("up", near, far), ("down", far, near)):
        threading.Thread(target=copy, args=args, daemon=True).start()
