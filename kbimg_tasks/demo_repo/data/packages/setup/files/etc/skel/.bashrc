if [ -r /etc/bashrc ]; then
    . /etc/bashrc
fi
