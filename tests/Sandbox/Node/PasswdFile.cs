using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;

namespace PyDebug.Sandbox.Node;

/// <summary>Users and groups of an image, read from its own files.</summary>
internal static class PasswdFile
{
    /// <summary>The entry (name, uid, gid) of a user given as name or number, or null.</summary>
    public static (string Name, long Uid, long Gid)? FindUser(string rootfs, string user)
    {
        foreach (string[] fields in Read(rootfs, "passwd", 4))
        {
            if ((fields[0] == user || fields[2] == user)
                && long.TryParse(fields[2], CultureInfo.InvariantCulture, out long uid)
                && long.TryParse(fields[3], CultureInfo.InvariantCulture, out long gid))
            {
                return (fields[0], uid, gid);
            }
        }

        return null;
    }

    public static long? FindGroup(string rootfs, string group)
    {
        if (long.TryParse(group, CultureInfo.InvariantCulture, out long number))
        {
            return number;
        }

        string[]? found = Read(rootfs, "group", 3).FirstOrDefault(fields => fields[0] == group);
        return found is not null && long.TryParse(found[2], CultureInfo.InvariantCulture, out long gid) ? gid : null;
    }

    /// <summary>The groups that name a user as a member.</summary>
    public static IReadOnlyList<long> GroupsOf(string rootfs, string user) =>
        Read(rootfs, "group", 4)
            .Where(fields => fields[3].Split(',').Contains(user, StringComparer.Ordinal))
            .Select(fields => long.TryParse(fields[2], CultureInfo.InvariantCulture, out long gid) ? gid : -1)
            .Where(gid => gid >= 0).ToList();

    private static IEnumerable<string[]> Read(string rootfs, string file, int fields)
    {
        string path = Path.Combine(rootfs, "etc", file);
        return File.Exists(path)
            ? File.ReadLines(path).Select(line => line.Split(':')).Where(line => line.Length >= fields)
            : [];
    }
}
