using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.Loader;
using PyDebug.Engine;
using PyDebug.Errors;

namespace PyDebug;

/// <summary>
/// The module's own files. What cannot be loaded, or was replaced since the module was imported, is one error with
/// what to do, and never the end of the session.
/// </summary>
internal static class ModuleFiles
{
    private const string EngineName = "PyDebug.Engine";

    private const int DeepestCause = 8;

    private static readonly object s_lock = new();

    private static readonly string? s_bin = CompiledImage.Bin(typeof(ModuleFiles).Assembly.Location);

    private static readonly string s_file = Path.Join(s_bin, "PyDebug.dll");

    private static EngineLoadContext? s_context;

    private static Assembly? s_engine;

    /// <summary>Why the engine could not be loaded the last time.</summary>
    private static volatile PyDebugException? s_refused;

    /// <summary>A folder beside the module's own assembly.</summary>
    public static string Folder(string name) => Path.Join(s_bin, name);

    /// <summary>Loads the engine.</summary>
    /// <exception cref="PyDebugException">It cannot be loaded, or is another version's.</exception>
    public static void RequireEngine()
    {
        try
        {
            Touch();
        }
        catch (Exception e) when (Explain(e) is PyDebugException failure)
        {
            throw failure;
        }
    }

    /// <summary>
    /// The engine, where that is what is asked for; it is loaded at the first time. Null where it cannot be: the
    /// runtime asks on its compiler's thread, too, where an exception from here would end the process.
    /// </summary>
    public static Assembly? Resolve(AssemblyLoadContext context, AssemblyName name)
    {
        if (name.Name != EngineName)
        {
            return null;
        }

        try
        {
            return Engine();
        }
        catch (PyDebugException e)
        {
            s_refused = e;
            return null;
        }
    }

    /// <summary>
    /// The failure behind an exception that tells of a file of the module which cannot be loaded; null where it tells
    /// of something else.
    /// </summary>
    public static PyDebugException? Explain(Exception exception)
    {
        List<Exception> causes = [];
        for (Exception? cause = exception; cause is not null && causes.Count < DeepestCause;
            cause = cause.InnerException)
        {
            causes.Add(cause);
        }

        if (causes.OfType<PyDebugException>().FirstOrDefault() is PyDebugException known)
        {
            return known;
        }

        foreach (Exception cause in causes)
        {
            switch (cause)
            {
                case BadImageFormatException damaged:
                    return Broken(damaged.FileName, damaged.Message);
                case FileLoadException refused:
                    return Broken(refused.FileName, refused.Message);
                case FileNotFoundException engine when s_refused is not null && IsEngine(engine.FileName):
                    return s_refused;
                case FileNotFoundException missing when IsAssembly(missing.FileName):
                    return Broken(missing.FileName, missing.Message);
                case TypeLoadException or MissingMemberException:
                    return Broken(null, cause.Message);
            }
        }

        return null;
    }

    /// <summary>The failure that stands for a file of the module which cannot be used.</summary>
    public static PyDebugException Broken(string? file, string why)
    {
        string name = file is null ? "A part of PyDebug" : $"PyDebug's file '{file.Split(',').First()}'";
        return Failure($"{name} cannot be loaded: {why.Trim()}");
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Touch() => _ = typeof(EngineException).Assembly;

    private static Assembly Engine()
    {
        lock (s_lock)
        {
            return s_engine ??= LoadEngine();
        }
    }

    private static Assembly LoadEngine()
    {
        string folder = Folder("dependencies");
        string path = Path.Join(folder, EngineName + ".dll");
        if (!File.Exists(path))
        {
            throw Broken(path, "the file is not there.");
        }

        // The engine that lies there now belongs to the module that lies there now.
        if (AssemblyIdentity.Read(s_file) != typeof(ModuleFiles).Module.ModuleVersionId)
        {
            throw Failure($"PyDebug in '{s_bin}' was replaced, or cannot be read any more, since it was imported.");
        }

        try
        {
            s_context ??= new EngineLoadContext(folder, CompiledImage.Folder(s_bin!));
            return s_context.LoadFrom(path);
        }
        catch (Exception e) when (e is IOException or BadImageFormatException or UnauthorizedAccessException)
        {
            throw Broken(path, e.Message);
        }
    }

    private static bool IsEngine(string? name)
        => name is not null && name.Split(',')[0] == EngineName;

    private static bool IsAssembly(string? name)
        => name is not null
            && (name.Contains(", Version=", StringComparison.Ordinal)
                || name.EndsWith(".dll", StringComparison.OrdinalIgnoreCase));

    private static PyDebugException Failure(string sentence)
        => ErrorFactory.Local(Causes.ModuleDamaged, sentence);
}
