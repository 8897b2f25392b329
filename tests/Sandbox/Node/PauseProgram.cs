using System;
using System.Buffers.Binary;
using System.IO;
using System.Runtime.InteropServices;

namespace PyDebug.Sandbox.Node;

/// <summary>
/// The program that holds a pod's namespaces, as a complete ELF file: it ignores SIGCHLD, so that the kernel reaps
/// what is left to it as PID 1, and then sleeps for ever.
/// </summary>
internal static class PauseProgram
{
    private const int HeaderSize = 64 + 56;
    private const ulong LoadAddress = 0x400000;

    private static readonly byte[] s_x64 =
    [
        0xb8, 13, 0, 0, 0,                    // mov eax, rt_sigaction
        0xbf, 17, 0, 0, 0,                    // mov edi, SIGCHLD
        0x48, 0x8d, 0x35, 19, 0, 0, 0,        // lea rsi, [action]
        0x31, 0xd2,                           // xor edx, edx
        0x41, 0xba, 8, 0, 0, 0,               // mov r10d, 8
        0x0f, 0x05,                           // syscall
        0xb8, 34, 0, 0, 0,                    // again: mov eax, pause
        0x0f, 0x05,                           // syscall
        0xeb, 0xf7,                           // jmp again
    ];

    private static readonly uint[] s_arm64 =
    [
        0xd28010c8, 0xd2800220, 0x10000181, 0xd2800002, 0xd2800103, 0xd4000001, // rt_sigaction(SIGCHLD, &action, 0, 8)
        0xd2800928, 0xd2800000, 0xd2800001, 0xd2800002, 0xd2800003, 0xd2800104, 0xd4000001, // ppoll(0, 0, 0, 0, 8)
        0x17fffff9, // again
    ];

    /// <summary>Writes the program for this machine.</summary>
    public static void Write(string path)
    {
        bool arm = RuntimeInformation.ProcessArchitecture == Architecture.Arm64;
        byte[] code = arm ? MemoryMarshal.AsBytes(s_arm64.AsSpan()).ToArray() : s_x64;
        byte[] file = new byte[HeaderSize + code.Length + 32];
        Span<byte> head = file;
        ReadOnlySpan<byte> magic = [0x7f, (byte)'E', (byte)'L', (byte)'F', 2, 1, 1];
        magic.CopyTo(head);
        BinaryPrimitives.WriteUInt16LittleEndian(head[16..], 2);
        BinaryPrimitives.WriteUInt16LittleEndian(head[18..], (ushort)(arm ? 183 : 62));
        BinaryPrimitives.WriteUInt32LittleEndian(head[20..], 1);
        BinaryPrimitives.WriteUInt64LittleEndian(head[24..], LoadAddress + HeaderSize);
        BinaryPrimitives.WriteUInt64LittleEndian(head[32..], 64);
        BinaryPrimitives.WriteUInt16LittleEndian(head[52..], 64);
        BinaryPrimitives.WriteUInt16LittleEndian(head[54..], 56);
        BinaryPrimitives.WriteUInt16LittleEndian(head[56..], 1);
        BinaryPrimitives.WriteUInt32LittleEndian(head[64..], 1);
        BinaryPrimitives.WriteUInt32LittleEndian(head[68..], 5);
        BinaryPrimitives.WriteUInt64LittleEndian(head[80..], LoadAddress);
        BinaryPrimitives.WriteUInt64LittleEndian(head[88..], LoadAddress);
        BinaryPrimitives.WriteUInt64LittleEndian(head[96..], (ulong)file.Length);
        BinaryPrimitives.WriteUInt64LittleEndian(head[104..], (ulong)file.Length);
        BinaryPrimitives.WriteUInt64LittleEndian(head[112..], 4096);
        code.CopyTo(head[HeaderSize..]);
        head[HeaderSize + code.Length] = 1; // struct sigaction { SIG_IGN, 0, 0, 0 }
        File.WriteAllBytes(path, file);
        File.SetUnixFileMode(path, (UnixFileMode)0b111_101_101);
    }
}
